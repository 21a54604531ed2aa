import { accessToken, localKeys } from '@scale/auth'
import { errorHandler, Unauthorized } from '@scale/errors'
import express from 'express'

const users = new Map([['ann', { name: 'Ann' }]])

const k = Buffer.from(process.env.JWT_SECRET).toString('base64url')
const tokens = accessToken({
  keys: localKeys({ keys: [{ kty: 'oct', k }] }),
  algorithms: ['HS256'],
  issuer: 'https://login.example/',
  audience: 'https://api.example',
  type: 'jwt',
})

/** Who the token speaks of: what the callback of the strategy did. */
function loadUser(req, _res, next) {
  req.user = users.get(req.auth.claims.sub)
  next(req.user === undefined ? new Unauthorized('There is no such user any more.') : undefined)
}

const app = express()
app.get('/me', tokens, loadUser, (req, res) => {
  res.json(req.user)
})
app.use(errorHandler())

export const server = app.listen(process.env.PORT ?? 3000)
