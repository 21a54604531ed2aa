import { Agent } from 'node:http'
import express from 'express'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { fleet, httpMetrics } from '../../src/index.js'
import { frameworks } from '../support/frameworks.js'
import { ask, listen, send, seriesOf } from '../support/server.js'

const DURATION = 'http_server_request_duration_seconds'
const ACTIVE = 'http_server_active_requests'

describe.each(frameworks)('%s: the route', (_, framework) => {
  it.each<[what: string, setup: (app: express.Express) => void, path: string, route: string]>([
    [
      'is the template',
      (app) => app.get('/users/:id', (_req, res) => void res.send('x')),
      '/users/7',
      '/users/:id',
    ],
    ['of the root is /', (app) => app.get('/', (_req, res) => void res.send('x')), '/', '/'],
    ['is empty if none matched', () => {}, '/wp-login.php?x=1', ''],
    [
      'is empty under a router of which no route matched',
      (app) => app.use('/v1', framework.Router()),
      '/v1/nothing',
      '',
    ],
    ['may be several', (app) => app.get(['/a', '/b'], (_req, res) => void res.send('x')), '/b', '/a|/b'],
    [
      'may be an expression',
      (app) => app.get(/^\/n\d+$/, (_req, res) => void res.send('x')),
      '/n12',
      '/^\\/n\\d+$/',
    ],
    [
      'has the prefixes of routers',
      (app) =>
        app.use(
          '/v1',
          framework.Router().use(
            '/users',
            framework.Router().get('/:id', (_q, res) => void res.send('x')),
          ),
        ),
      '/v1/users/7',
      '/v1/users/:id',
    ],
    [
      'has no slash at the end for the root of a router',
      (app) =>
        app.use(
          '/v1',
          framework.Router().get('/', (_q, res) => void res.send('x')),
        ),
      '/v1',
      '/v1',
    ],
    [
      'has the names of parameters of routers, not their values',
      (app) =>
        app.use(
          '/orgs/:org',
          framework.Router({ mergeParams: true }).use(
            '/teams-:team',
            framework.Router({ mergeParams: true }).get('/:id', (_q, res) => void res.send('x')),
          ),
        ),
      '/orgs/orgs/teams-f%C3%BCr/7',
      '/orgs/:org/teams-:team/:id',
    ],
    [
      'is known where an error handler outside answers',
      (app) => {
        const inner = framework.Router().get('/:id', (_q, _r, next) => next(new Error('x')))
        app.use('/orgs/:org', framework.Router().use('/users', inner))
        app.use(
          ((_error, _req, res, _next) =>
            void res.status(503).send('x')) satisfies express.ErrorRequestHandler,
        )
      },
      '/orgs/acme/users/7',
      '/orgs/:org/users/:id',
    ],
    [
      'is that of the route that answered, not of one that passed on',
      (app) => {
        app.use(
          '/a',
          framework.Router().get('/:id', (_q, _r, next) => next()),
        )
        app.get('/a/:other', (_req, res) => void res.send('x'))
      },
      '/a/1',
      '/a/:other',
    ],
    [
      'goes through a mounted app',
      (app) => {
        const inner = framework()
        inner.get('/users/:id', (_req, res) => void res.send('x'))
        app.use('/sub/:part', inner)
      },
      '/sub/one/users/7',
      '/sub/:part/users/:id',
    ],
  ])('%s', async (_what, setup, path, route) => {
    const register = new Registry()
    const app = framework().use(httpMetrics({ register }))
    setup(app)
    await ask(await listen(app), { path })
    const [labels] = Object.keys(await seriesOf(register, DURATION))
    expect(/http_route="((?:[^"\\]|\\.)*)"/.exec(labels!)?.[1]?.replaceAll('\\\\', '\\') ?? '').toBe(route)
  })

  it('leaves what the app sees as it was', async () => {
    const seen: unknown[] = []
    const router = framework.Router().get('/:id', (req, res) => {
      seen.push(req.baseUrl, req.originalUrl, req.path, Object.keys(req).includes('baseUrl'))
      res.send('x')
    })
    const app = framework()
      .use(httpMetrics({ register: new Registry() }))
      .use('/v1/:a', router)
    await ask(await listen(app), { path: '/v1/x/7?q=1' })
    expect(seen).toEqual(['/v1/x', '/v1/x/7?q=1', '/7', true])
  })
})

describe('labels', () => {
  it('are method, scheme, status, route, and the kind of error of a failure', async () => {
    const register = new Registry()
    const app = express().use(httpMetrics({ register }))
    app.post('/ok', (_req, res) => void res.status(201).end())
    app.get('/bad', (_req, res) => void res.status(502).end())
    app.get('/limited', (_req, res) => void res.status(429).end())
    const port = await listen(app)
    await ask(port, { path: '/ok', method: 'POST' })
    await ask(port, { path: '/bad' })
    await ask(port, { path: '/limited' })
    const http = 'url_scheme="http"'
    expect(await seriesOf(register, DURATION)).toEqual({
      [`http_request_method="POST",${http},http_response_status_code="201",http_route="/ok"`]: 1,
      [`http_request_method="GET",${http},http_response_status_code="502",http_route="/bad",error_type="502"`]: 1,
      [`http_request_method="GET",${http},http_response_status_code="429",http_route="/limited"`]: 1,
    })
  })

  it('know unknown methods as one', async () => {
    const register = new Registry()
    const port = await listen(express().use(httpMetrics({ register })))
    for (const method of ['PROPFIND', 'MKCOL', 'QUERY']) await ask(port, { method })
    const methods = Object.entries(await seriesOf(register, DURATION)).map(([labels, count]) => [
      /http_request_method="(\w+)"/.exec(labels)![1],
      count,
    ])
    // Whether Node's parser knows QUERY depends on its version; what it does not know never comes this far.
    expect(methods).toContainEqual(['_OTHER', 2])
    expect(methods.flat()).not.toContain('PROPFIND')
  })

  it('believe a proxy about https only if the app does', async () => {
    const register = new Registry()
    const app = express().use(httpMetrics({ register }))
    const port = await listen(app)
    const headers = { 'x-forwarded-proto': 'https' }
    await ask(port, { headers })
    app.set('trust proxy', true)
    await ask(port, { headers })
    await ask(port, { headers: { 'x-forwarded-proto': 'invented' } })
    const schemes = Object.entries(await seriesOf(register, DURATION)).map(([labels, count]) => [
      /url_scheme="(\w+)"/.exec(labels)![1],
      count,
    ])
    expect(schemes).toEqual([
      ['http', 2],
      ['https', 1],
    ])
  })

  it('tell a client that left from a response that the server cut', async () => {
    const register = new Registry()
    const app = express().use(httpMetrics({ register }))
    let arrived = (): void => {}
    app.get('/hang', () => arrived())
    app.get('/cut', (_req, res) => {
      res.write('half')
      setImmediate(() => res.destroy())
    })
    const port = await listen(app)
    for (const leave of ['end', 'resetAndDestroy', 'destroy'] as const) {
      const there = new Promise<void>((resolve) => {
        arrived = resolve
      })
      const socket = await send(port, 'GET /hang HTTP/1.1\r\nHost: x\r\n\r\n')
      await there
      socket[leave]()
    }
    await ask(port, { path: '/cut' }).catch(() => {})
    const wanted = {
      'http_request_method="GET",url_scheme="http",http_route="/hang",error_type="client_disconnect"': 3,
      'http_request_method="GET",url_scheme="http",http_response_status_code="200",http_route="/cut",error_type="response_cut"': 1,
    }
    await expect.poll(() => seriesOf(register, DURATION)).toEqual(wanted)
    expect(await seriesOf(register, ACTIVE)).toEqual({ 'http_request_method="GET",url_scheme="http"': 0 })
  })
})

describe('values', () => {
  it('count what is under way', async () => {
    const register = new Registry()
    const waiting: (() => void)[] = []
    const app = express().use(httpMetrics({ register }))
    app.get('/', (_req, res) => void waiting.push(() => res.end()))
    const port = await listen(app)
    const answers = [ask(port), ask(port)]
    await expect.poll(() => waiting.length).toBe(2)
    expect(await seriesOf(register, ACTIVE)).toEqual({ 'http_request_method="GET",url_scheme="http"': 2 })
    for (const answer of waiting) answer()
    await Promise.all(answers)
    await expect
      .poll(() => seriesOf(register, ACTIVE))
      .toEqual({ 'http_request_method="GET",url_scheme="http"': 0 })
  })

  it('are seconds until the response is over', async () => {
    const register = new Registry()
    const app = express().use(httpMetrics({ register, bounds: [0.04, 60] }))
    app.get('/', (_req, res) => {
      const startedAt = performance.now()
      const wait = (): unknown => (performance.now() - startedAt > 60 ? res.end() : setTimeout(wait, 5))
      wait()
    })
    await ask(await listen(app))
    const family = (await fleet({ register }).snapshot()).find(({ name }) => name === DURATION)!
    const [under, within, above, sum] = family.series[0]!.values
    expect([under, within, above]).toEqual([0, 1, 0])
    expect(sum).toBeGreaterThan(0.06)
  })

  it('are bytes of bodies, also over one connection and in chunks', async () => {
    const register = new Registry()
    const app = express().use(httpMetrics({ register }))
    app.post('/length', (req, res) => {
      req.resume().on('end', () => res.send('y'.repeat(300)))
    })
    app.get('/chunks', (_req, res) => {
      res.write('z'.repeat(20_000))
      res.end('z'.repeat(20_000))
    })
    app.head('/head', (_req, res) => void res.set('content-length', '999').end())
    const port = await listen(app)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await ask(port, {
      path: '/length',
      method: 'POST',
      body: 'x'.repeat(2_000),
      headers: { 'content-length': '2000' },
      agent,
    })
    await ask(port, { path: '/chunks', agent })
    await ask(port, { path: '/head', method: 'HEAD', agent })
    agent.destroy()
    const sums = async (name: string): Promise<Record<string, number>> => {
      const family = (await fleet({ register }).snapshot()).find((one) => one.name === name)!
      return Object.fromEntries(
        family.series.map(({ labels, values }) => [labels.http_route, values.at(-1)!]),
      )
    }
    expect(await sums('http_server_request_body_size_bytes')).toEqual({
      '/length': 2_000,
      '/chunks': 0,
      '/head': 0,
    })
    const sent = await sums('http_server_response_body_size_bytes')
    expect(sent).toMatchObject({ '/length': 300, '/head': 0 })
    // The frames of the chunks come with them.
    expect(sent['/chunks']).toBeGreaterThanOrEqual(40_000)
    expect(sent['/chunks']).toBeLessThan(40_100)
  })
})
