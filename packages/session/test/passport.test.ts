import express from 'express'
// @ts-expect-error its types are not installed
import passport from 'passport'
import { expect, it } from 'vitest'
import { session } from '../src/index.js'
import { cookieOf, expressVersions, listen } from './app.js'

it.each(expressVersions)('%s: passport logs in and out by regenerate and save', async (_name, make) => {
  const auth = new passport.Passport()
  auth.serializeUser((user: { id: string }, done: (error: null, id: string) => void) => done(null, user.id))
  auth.deserializeUser((id: string, done: (error: null, user: unknown) => void) => done(null, { id }))
  const app = make()
  app.use(express.json(), session(), auth.initialize(), auth.session())
  app.post('/cart', async (req, res) => {
    req.session.data = { cart: 1 }
    await req.session.save()
    res.json({})
  })
  app.post('/login', (req, res, next) => {
    const { logIn } = req as unknown as {
      logIn(user: unknown, options: object, done: (e?: unknown) => void): void
    }
    logIn.call(req, { id: 'ann' }, req.body, (error) => (error ? next(error) : res.json({})))
  })
  app.post('/logout', (req, res, next) => {
    const { logOut } = req as unknown as { logOut(done: (e?: unknown) => void): void }
    logOut.call(req, (error) => (error ? next(error) : res.json({})))
  })
  app.get('/', (req, res) => {
    res.json({ user: (req as { user?: unknown }).user ?? null, data: req.session.data })
  })
  const running = await listen(app)
  try {
    const visitor = { cookie: cookieOf(await running.send('POST', '/cart')) }
    const login = await running.send('POST', '/login', visitor, { keepSessionInfo: true })
    const user = { cookie: cookieOf(login) }
    expect(user.cookie).not.toBe(visitor.cookie)
    const passportState = { passport: { user: 'ann' } }
    expect((await running.send('GET', '/', user)).body).toEqual({
      user: { id: 'ann' },
      data: { cart: 1, ...passportState },
    })
    expect((await running.send('GET', '/', visitor)).body).toEqual({ user: null, data: {} })

    const again = { cookie: cookieOf(await running.send('POST', '/login', user, {})) }
    expect((await running.send('GET', '/', again)).body).toEqual({ user: { id: 'ann' }, data: passportState })
    expect((await running.send('GET', '/', user)).body).toEqual({ user: null, data: {} })

    await running.send('POST', '/logout', again)
    expect((await running.send('GET', '/', again)).body).toEqual({ user: null, data: {} })
  } finally {
    await running.close()
  }
})
