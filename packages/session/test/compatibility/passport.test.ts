// @ts-expect-error its types are not installed
import flash from 'connect-flash'
import express from 'express'
// @ts-expect-error its types are not installed
import passport from 'passport'
// @ts-expect-error its types are not installed
import { Strategy as LocalStrategy } from 'passport-local'
// @ts-expect-error its types are not installed
import OAuth2Strategy from 'passport-oauth2'
import { describe, expect, it } from 'vitest'
import { expressVersions, listen } from '../app.js'
import { Browser } from './browser.js'
import { type AnyRequest, stackNames, useStacks } from './stacks.js'

const stack = useStacks()

describe.each(stackNames)('passport on %s', (name) => {
  it.each(expressVersions)(
    '%s: local login, its failures by flash, login again, logout',
    async (_version, make) => {
      const auth = new passport.Passport()
      auth.use(
        new LocalStrategy((user: string, password: string, done: (...args: unknown[]) => void) =>
          password === 'right' ? done(null, { id: user }) : done(null, false, { message: 'wrong' }),
        ),
      )
      auth.serializeUser((user: { id: string }, done: (...args: unknown[]) => void) => done(null, user.id))
      auth.deserializeUser((id: string, done: (...args: unknown[]) => void) => done(null, { id }))
      const app = make()
      app.use(
        stack(name),
        flash(),
        express.urlencoded({ extended: false }),
        auth.initialize(),
        auth.session(),
      )
      app.post(
        '/login',
        auth.authenticate('local', {
          successRedirect: '/',
          failureRedirect: '/',
          failureFlash: true,
          failureMessage: true,
        }),
      )
      app.post('/login-keeping', auth.authenticate('local', { successRedirect: '/', keepSessionInfo: true }))
      app.post('/visit', (req: AnyRequest, res) => {
        req.session.cart = ['a']
        res.redirect('/')
      })
      app.post('/logout', (req: AnyRequest, res, next) => {
        req.logout((error: unknown) => (error ? next(error) : res.redirect('/')))
      })
      app.get('/', (req: AnyRequest, res) => {
        const { passport, cart = null, messages = null } = req.session
        res.json({
          user: req.user?.id ?? null,
          passport: passport ?? null,
          cart,
          messages,
          flash: req.flash('error'),
        })
      })
      const running = await listen(app)
      const browser = new Browser()
      const post = async (path: string, form: Record<string, string> = {}) =>
        JSON.parse((await browser.go(running.url + path, { method: 'POST', form })).body)
      const nobody = { user: null, passport: null, cart: null, messages: null, flash: [] }

      expect(await post('/visit')).toEqual({ ...nobody, cart: ['a'] })
      const failed = await post('/login', { username: 'ann', password: 'wrong' })
      expect(failed).toEqual({ ...nobody, cart: ['a'], messages: ['wrong'], flash: ['wrong'] })
      const kept = await post('/login-keeping', { username: 'ann', password: 'right' })
      expect(kept).toEqual({
        user: 'ann',
        passport: { user: 'ann' },
        cart: ['a'],
        messages: ['wrong'],
        flash: [],
      })
      const stolen = await browser.jar.getCookieString(running.url)
      const again = await post('/login', { username: 'bob', password: 'right' })
      expect(again).toEqual({ ...nobody, user: 'bob', passport: { user: 'bob' } })
      // The session of before is no more.
      expect((await running.send('GET', '/', { cookie: stolen })).body).toEqual(nobody)
      const last = await browser.jar.getCookieString(running.url)
      expect(await post('/logout')).toEqual(nobody)
      expect((await running.send('GET', '/', { cookie: last })).body).toEqual(nobody)
      await running.close()
    },
  )

  it('OAuth2 with state and PKCE, which are used once', async () => {
    const provider = express().use(express.urlencoded({ extended: false }))
    const challenges: unknown[] = []
    provider.get('/authorize', (req, res) => {
      const { redirect_uri, state, code_challenge } = req.query as Record<string, string>
      challenges.push(code_challenge)
      res.redirect(`${redirect_uri}?code=c&state=${encodeURIComponent(state!)}`)
    })
    provider.post('/token', (req, res) => {
      challenges.push(req.body.code_verifier)
      res.json({ access_token: 'a', token_type: 'bearer' })
    })
    const issuer = await listen(provider)
    const auth = new passport.Passport()
    auth.serializeUser((user: { id: string }, done: (...args: unknown[]) => void) => done(null, user.id))
    auth.deserializeUser((id: string, done: (...args: unknown[]) => void) => done(null, { id }))
    const app = express().use(stack(name), auth.initialize(), auth.session())
    const running = await listen(
      app
        .get('/begin', (req, res, next) => auth.authenticate('oauth2')(req, res, next))
        .get('/callback', (req, res, next) =>
          auth.authenticate('oauth2', { successRedirect: '/', failureRedirect: '/failed' })(req, res, next),
        )
        .get('/failed', (_req, res) => void res.status(403).json('failed'))
        .get('/', (req: AnyRequest, res) => {
          res.json({
            user: req.user?.id ?? null,
            keys: Object.keys(req.session).filter((key) => key !== 'cookie'),
          })
        }),
    )
    auth.use(
      new OAuth2Strategy(
        {
          authorizationURL: `${issuer.url}/authorize`,
          tokenURL: `${issuer.url}/token`,
          clientID: 'id',
          clientSecret: 'secret',
          callbackURL: `${running.url}/callback`,
          state: true,
          pkce: true,
        },
        (_access: string, _refresh: string, _profile: unknown, done: (...args: unknown[]) => void) =>
          done(null, { id: 'ann' }),
      ),
    )
    const browser = new Browser()
    const done = await browser.go(`${running.url}/begin`)
    expect(JSON.parse(done.body)).toEqual({ user: 'ann', keys: ['passport'] })
    expect(challenges).toEqual([expect.stringMatching(/^.{43}$/), expect.stringMatching(/^.{43}$/)])
    // The same answer once more finds no login under way.
    expect((await browser.go(`${running.url}/callback?code=c&state=x`)).status).toBe(403)
    expect((await new Browser().go(`${running.url}/callback?code=c&state=x`)).status).toBe(403)
    await running.close()
    await issuer.close()
  })
})
