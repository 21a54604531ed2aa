import express from 'express'
import passport from 'passport'
import { ExtractJwt, Strategy } from 'passport-jwt'

const users = new Map([['ann', { name: 'Ann' }]])

passport.use(
  new Strategy(
    {
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: process.env.JWT_SECRET,
      algorithms: ['HS256'],
      issuer: 'https://login.example/',
      audience: 'https://api.example',
    },
    (claims, done) => done(null, users.get(claims.sub) ?? false),
  ),
)

const app = express()
app.get('/me', passport.authenticate('jwt', { session: false }), (req, res) => {
  res.json(req.user)
})

export const server = app.listen(process.env.PORT ?? 3000)
