import { accessToken, localKeys } from '@scale/auth'
import { errorHandler } from '@scale/errors'
import express from 'express'

const k = Buffer.from(process.env.JWT_SECRET).toString('base64url')
const app = express()
app.use(
  accessToken({
    keys: localKeys({ keys: [{ kty: 'oct', k }] }),
    algorithms: ['HS256'],
    issuer: 'https://login.example/',
    audience: 'https://api.example',
    type: 'jwt', // tokens that do not say `at+jwt`, as those of before
  }),
)
app.get('/me', (req, res) => {
  res.json({ user: req.auth.claims.sub })
})
app.use(errorHandler())

export const server = app.listen(process.env.PORT ?? 3000)
