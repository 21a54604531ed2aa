import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error its types are not installed
import compression from 'compression'
// @ts-expect-error its types are not installed
import flash from 'connect-flash'
import { doubleCsrf } from 'csrf-csrf'
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'
// @ts-expect-error its types are not installed
import supertest from 'supertest'
import { describe, expect, it } from 'vitest'
import { listen } from '../app.js'
import { Browser } from './browser.js'
import { type AnyRequest, stackNames, useStacks } from './stacks.js'

const stack = useStacks()

describe.each(stackNames)('on %s', (name) => {
  it('connect-flash shows a message once, after the redirect', async () => {
    const app = express().use(stack(name), flash())
    app.post('/', (req: AnyRequest, res) => {
      req.flash('info', 'first')
      req.flash('info', 'second')
      res.redirect('/')
    })
    app.get('/', (req: AnyRequest, res) => {
      res.json(req.flash('info'))
    })
    const running = await listen(app)
    const browser = new Browser()
    expect((await browser.go(running.url, { method: 'POST' })).body).toBe('["first","second"]')
    expect((await browser.go(running.url)).body).toBe('[]')
    await running.close()
  })

  it('a token against forgeries that is bound to the session holds for it, and for no other', async () => {
    const { generateCsrfToken, doubleCsrfProtection } = doubleCsrf({
      getSecret: () => 'another secret',
      getSessionIdentifier: (req) => (req as AnyRequest).sessionID ?? '',
      cookieName: 'csrf',
      cookieOptions: { secure: false },
      getCsrfTokenFromRequest: (req) => req.headers['x-csrf-token'],
    })
    const app = express().use(stack(name))
    app.use((req: AnyRequest, _res, next) => {
      req.cookies = Object.fromEntries(
        (req.headers.cookie ?? '').split('; ').map((pair: string) => pair.split('=', 2)),
      )
      next()
    })
    app.post('/login', (req: AnyRequest, res, next) => {
      req.session.regenerate((error: unknown) => {
        if (error) return next(error)
        req.session.user = 'ann'
        req.session.save((failure: unknown) => (failure ? next(failure) : res.json({})))
      })
    })
    app.get('/token', (req, res) => {
      res.json(generateCsrfToken(req, res, { overwrite: true }))
    })
    app.post('/order', doubleCsrfProtection, (req: AnyRequest, res) => {
      res.json(req.session.user)
    })
    const running = await listen(app)
    const [ann, eve] = [new Browser(), new Browser()]
    for (const browser of [ann, eve]) await browser.go(`${running.url}/login`, { method: 'POST' })
    const token = JSON.parse((await ann.go(`${running.url}/token`)).body) as string
    const order = async (browser: Browser) =>
      (await browser.go(`${running.url}/order`, { method: 'POST', headers: { 'x-csrf-token': token } }))
        .status
    expect(await order(ann)).toBe(200)
    await eve.jar.setCookie(`csrf=${token}`, running.url)
    expect(await order(eve)).not.toBe(200)
    await running.close()
  })

  it('supertest keeps a session by its agent', async () => {
    const app = express().use(stack(name))
    app.post('/:n', (req: AnyRequest, res) => {
      req.session.n = Number(req.params.n)
      res.json({})
    })
    app.get('/', (req: AnyRequest, res) => {
      res.json(req.session.n ?? null)
    })
    const agent = supertest.agent(app)
    await agent.get('/').expect(200, 'null')
    await agent.post('/7').expect(200)
    await agent.get('/').expect(200, '7')
    await supertest(app).get('/').expect(200, 'null')
  })

  it('an app behind http-proxy-middleware, and one that proxies, keep what they set', async () => {
    const upstream = createServer((req, res) => {
      res.setHeader('Set-Cookie', 'up=1')
      res.setHeader('X-Path', req.url!)
      req.pipe(res)
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const target = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const inner = express().use(stack(name))
    inner.use((req: AnyRequest, _res, next) => {
      req.session.seen = (req.session.seen ?? 0) + 1
      next()
    })
    inner.get('/seen', (req: AnyRequest, res) => {
      res.json(req.session.seen)
    })
    inner.use(createProxyMiddleware({ target }))
    const app = await listen(inner)
    const outer = await listen(express().use(createProxyMiddleware({ target: app.url })))
    const browser = new Browser()
    const echo = await browser.go(`${outer.url}/echo`, { method: 'POST', form: { a: 'b' } })
    expect(echo).toMatchObject({ status: 200, body: 'a=b' })
    expect((await browser.jar.getCookies(outer.url)).map(({ key }) => key)).toContain('up')
    expect((await browser.go(`${outer.url}/seen`)).body).toBe('2')
    await outer.close()
    await app.close()
    upstream.close()
  })

  it.each(['before', 'after'])('compression %s it answers whole, and the session is there', async (place) => {
    const app = express()
    const squeeze = compression({ threshold: 0 })
    if (place === 'before') app.use(squeeze, stack(name))
    else app.use(stack(name), squeeze)
    app.get('/', (req: AnyRequest, res) => {
      req.session.n = (req.session.n ?? 0) + 1
      res.json({ n: req.session.n, text: 'x'.repeat(10_000) })
    })
    const running = await listen(app)
    const browser = new Browser()
    for (const n of [1, 2, 3]) {
      const page = await browser.go(running.url, { headers: { 'accept-encoding': 'gzip' } })
      expect(JSON.parse(page.body)).toMatchObject({ n, text: 'x'.repeat(10_000) })
    }
    await running.close()
  })

  it('what apps do with a session: enumerate, delete, reload, destroy, set the age of the cookie', async () => {
    const app = express().use(stack(name))
    const steps: Record<string, (req: AnyRequest) => unknown> = {
      set: (req) => Object.assign(req.session, { a: 1, b: { c: [1] } }),
      change: (req) => req.session.b.c.push(2),
      remove: (req) => delete req.session.a,
      age: (req) => {
        req.session.aged = true
        req.session.cookie.maxAge = 60_000
      },
      reload: (req) =>
        new Promise((resolve) => {
          req.session.a = 'not saved'
          req.session.reload(resolve)
        }),
      destroy: (req) => new Promise((resolve) => req.session.destroy(resolve)),
    }
    app.post('/:step', async (req: AnyRequest, res) => {
      await steps[req.params.step]!(req)
      res.json({})
    })
    app.get('/', (req: AnyRequest, res) => {
      const { cookie: _, ...rest } = req.session
      res.json({ rest, has: 'a' in req.session, maxAge: req.session.cookie.originalMaxAge })
    })
    const running = await listen(app)
    const browser = new Browser()
    const after = async (step: string) => {
      await browser.go(`${running.url}/${step}`, { method: 'POST' })
      return JSON.parse((await browser.go(running.url)).body)
    }
    expect(await after('set')).toEqual({ rest: { a: 1, b: { c: [1] } }, has: true, maxAge: null })
    expect(await after('change')).toEqual({ rest: { a: 1, b: { c: [1, 2] } }, has: true, maxAge: null })
    expect(await after('reload')).toMatchObject({ rest: { a: 1 } })
    expect(await after('remove')).toEqual({ rest: { b: { c: [1, 2] } }, has: false, maxAge: null })
    expect(await after('age')).toMatchObject({ maxAge: 60_000 })
    expect(await after('destroy')).toMatchObject({ rest: {}, has: false })
    await running.close()
  })
})
