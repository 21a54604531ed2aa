import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type Express, type Router } from 'express'
import express4 from 'express4'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { address, rateLimit, route, user } from '../../src/index.js'
import { random } from '../random.js'

// Who is counted, what is charged and when it is given back, as clients and proxies of every kind would have it otherwise.

let prefixes = 0
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listen(app: Express, admits?: (req: IncomingMessage) => Promise<boolean>): Promise<string> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  if (admits !== undefined) {
    server.on('upgrade', async (req, socket) => {
      const status = (await admits(req))
        ? '101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade'
        : '429 No'
      socket.end(`HTTP/1.1 ${status}\r\n\r\n`)
    })
  }
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Status of an attempt to upgrade. */
async function upgrade(url: string): Promise<number> {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(answer.toString().split(' ')[1])
}

const burst = (quota: number) => ({ name: 'burst', quota, windowMs: 600_000 })

describe.each([
  ['Express 5', () => express(), () => express.Router()],
  ['Express 4', () => express4() as unknown as Express, () => express4.Router() as unknown as Router],
])('route in %s', (_, make, router) => {
  async function served(): Promise<string> {
    const app = make()
    const limit = rateLimit({
      prefix: `routes:${++prefixes}`,
      policies: [burst(1)],
      partitionKey: (req) => [route(req), address(req)],
    })
    const api = router()
    api.all('/login', limit, (_req, res) => void res.sendStatus(204))
    api.all('/users/:id', limit, (_req, res) => void res.sendStatus(204))
    app.use('/api', api)
    app.use('/t/:tenant', api)
    app.use(((error, _req, res, _next) => res.sendStatus(error.status)) as express.ErrorRequestHandler)
    return listen(app)
  }

  it('counts every spelling of one route together: capitals, slashes, parameters of a mount, HEAD', async () => {
    const url = await served()
    const status = async (path: string, method = 'GET'): Promise<number> =>
      (await fetch(url + path, { method })).status
    expect(await status('/api/login')).toBe(204)
    for (const path of ['/api/login', '/Api/login', '/aPi/LOGIN', '/api/login/', '/API/login?x=1']) {
      expect([path, await status(path)]).toEqual([path, 429])
    }
    expect(await status('/api/login', 'HEAD')).toBe(429)
    expect(await status('/api/login', 'POST')).toBe(204)
    expect(await status('/t/1/login')).toBe(204)
    for (const path of ['/t/2/login', '/T/1/login', '/t/a%2Fb/login', '/t/%61/Login']) {
      expect([path, await status(path)]).toEqual([path, 429])
    }
    expect(await status('/api/users/1')).toBe(204)
    expect(await status('/API/users/2')).toBe(429)
  })

  it('whatever the spelling, there are as many quotas as routes', async () => {
    const url = await served()
    const word = (text: string) =>
      fc
        .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
        .map((upper) =>
          [...text].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter)).join(''),
        )
    const segment = fc
      .stringMatching(/^[\w~%!.-]{1,8}$/)
      .filter((text) => URL.canParse(`http://h/${text}`) && !/%|^\.+$/.test(text))
    const path = fc.oneof(
      fc.tuple(word('api'), word('login')).map(([a, b]) => `/${a}/${b}`),
      fc.tuple(word('t'), segment, word('login')).map(([a, b, c]) => `/${a}/${b}/${c}`),
      fc.tuple(word('t'), segment, word('users'), segment).map((all) => `/${all.join('/')}`),
    )
    let admitted = 0
    await fc.assert(
      fc.asyncProperty(path, fc.constantFrom('GET', 'HEAD'), async (one, method) => {
        if ((await fetch(url + one, { method })).status === 204) admitted++
      }),
      { numRuns: 150 },
    )
    expect(admitted).toBeLessThanOrEqual(3)
    expect(admitted).toBeGreaterThan(0)
  })
})

describe('addresses', () => {
  const of = (ip: string) => address({ ip })

  it('are what is left without ports and brackets, in one spelling', () => {
    for (const text of [
      '203.0.113.7',
      '203.0.113.7:4711',
      '::ffff:203.0.113.7',
      '[::ffff:cb00:7107]:80',
      '[::ffff:203.0.113.7]',
    ]) {
      expect(of(text)).toEqual(address('203.0.113.7'))
    }
    for (const text of [
      '2001:db8::1',
      '[2001:db8::1]',
      '[2001:DB8::1]:65535',
      '2001:db8:0:0:0:0:0:1',
      '[fe80::1%eth0]:1',
    ]) {
      expect(of(text).text).toMatch(/\/56$/)
    }
    expect(of('[2001:db8::1]:1')).toEqual(of('2001:db8::2'))
  })

  it('of all shapes are never one for all, unless they are none', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
        (ip, port) => {
          const text = port === undefined ? ip : ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
          expect(of(text)).toEqual(of(ip))
          expect(of(text)).not.toEqual(of('nobody'))
          expect(address(ip)).toEqual(of(ip))
        },
      ),
    )
  })

  it.each([
    ['Express 5', express],
    ['Express 4', express4 as unknown as typeof express],
  ])('in every way that a proxy writes them are those that are named, in %s', async (name, make) => {
    const quota = 1_000_000
    const limit = rateLimit({ name: `shapes ${name}`, policies: [burst(quota)] })
    const app = make()
      .set('trust proxy', 1)
      .use(limit as express.RequestHandler)
    app.get('/', (_req, res) => void res.sendStatus(204))
    app.use(((error, _req, res, _next) => void res.sendStatus(error.status)) as express.ErrorRequestHandler)
    const url = await listen(app)
    const port = fc.integer({ min: 0, max: 65_535 })
    const hex = (ip: string): string => {
      const [a, b, c, d] = ip.split('.').map(Number) as [number, number, number, number]
      return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
    }
    const v4: ((ip: string, port: number) => string)[] = [
      (ip) => ip,
      (ip, at) => `${ip}:${at}`,
      (ip) => `::ffff:${ip}`,
      (ip) => `::FFFF:${hex(ip)}`,
      (ip) => `[::ffff:${ip}]`,
      (ip, at) => `[0:0:0:0:0:ffff:${hex(ip)}]:${at}`,
    ]
    const v6: typeof v4 = [
      (ip) => ip,
      (ip) => ip.toUpperCase(),
      (ip) => `[${ip}]`,
      (ip, at) => `[${ip}]:${at}`,
      (ip) => `${ip}%eth0`,
    ]
    const shape = fc.oneof(
      fc.record({ ip: fc.ipV4(), write: fc.constantFrom(...v4), port }),
      fc.record({ ip: fc.ipV6(), write: fc.constantFrom(...v6), port }),
    )
    const spent = async (ip: string): Promise<number> =>
      quota - (await limit.peek(address(ip))).policies[0]!.remaining
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(fc.ipV4(), { maxLength: 2 }),
        async ({ ip, write, port: at }, made) => {
          const before = await spent(ip)
          const field = [...made, write(ip, at)].join(', ')
          expect((await fetch(url, { headers: { 'X-Forwarded-For': field } })).status).toBe(204)
          expect(await spent(ip)).toBe(before + 1)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('that cannot be read are warned of once, by their shape and not their value', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      vi.resetModules()
      const { address: fresh } = await import('../../src/index.js')
      fresh({ ip: 'host-17.example' })
      fresh({})
      expect(emit.mock.calls.map(([message]) => message)).toEqual([
        expect.stringContaining('«aaaa-99.aaaaaaa»'),
      ])
    } finally {
      emit.mockRestore()
    }
  })

  it.each([
    ['closed', [400, 400, 400]],
    ['open', [204, 204, 204]],
    ['shared', [204, 429, 429]],
  ] as const)('%s: that cannot be read are what was declared', async (onUnknownAddress, expected) => {
    const options = onUnknownAddress === 'closed' ? {} : { onUnknownAddress }
    const limit = rateLimit({ prefix: `unknown:${++prefixes}`, policies: [burst(1)], ...options })
    const app = express().set('trust proxy', 1).use(limit)
    app.get('/', (_req, res) => void res.sendStatus(204))
    app.use(((error, _req, res, _next) => res.sendStatus(error.status)) as express.ErrorRequestHandler)
    const url = await listen(app)
    const statuses = []
    for (const name of ['a.example', 'b.example', 'unknown'])
      statuses.push((await fetch(url, { headers: { 'X-Forwarded-For': name } })).status)
    expect(statuses).toEqual(expected)
    expect((await fetch(url, { headers: { 'X-Forwarded-For': '203.0.113.7:80' } })).status).toBe(204)
    const named = limit.peek(address('a.example'))
    if (onUnknownAddress === 'closed')
      await expect(named).rejects.toMatchObject({ code: 'ERR_SCALE_RATE_LIMIT_ADDRESS' })
    else expect((await named).allowed).toBe(onUnknownAddress === 'open')
  })

  it('on a Unix socket there are none', async () => {
    const limit = rateLimit({ prefix: `unix:${++prefixes}`, policies: [burst(1)] })
    const app = express().use(limit)
    const errors: unknown[] = []
    app.use(((error, _req, res, _next) => {
      errors.push(error.code)
      res.sendStatus(error.status)
    }) as express.ErrorRequestHandler)
    const path = join(await mkdtemp(join(tmpdir(), 'scale-')), 'http.sock')
    const server = app.listen(path)
    await once(server, 'listening')
    try {
      const asked = request({ socketPath: path, path: '/' }).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      expect(answer.statusCode).toBe(400)
      answer.resume()
      expect(errors).toEqual(['ERR_SCALE_RATE_LIMIT_ADDRESS'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('named to any call are who is counted, of a request and of an upgrade', async () => {
    const limit = rateLimit({ name: 'addresses', policies: [burst(2)] })
    const app = express().use(limit)
    app.get('/', (_req, res) => void res.sendStatus(204))
    const url = await listen(app, async (req) => (await limit.consume(address(req))).allowed)
    expect((await fetch(url)).status).toBe(204)
    for (const ip of ['127.0.0.1', '::ffff:127.0.0.1', '127.0.0.1:80']) {
      expect((await limit.peek(address(ip))).policies[0]!.remaining).toBe(1)
    }
    expect(await upgrade(url)).toBe(101)
    expect(await upgrade(url)).toBe(429)
    expect((await fetch(url)).status).toBe(429)
    await limit.reset(address('127.0.0.1'))
    expect((await fetch(url)).status).toBe(204)
    await limit.penalize(address('127.0.0.1'), { blockMs: 60_000 })
    expect((await fetch(url)).status).toBe(429)
    expect(await upgrade(url)).toBe(429)
    await limit.reset(address('127.0.0.1'))
    expect((await fetch(url)).status).toBe(204)
    expect((await limit.peek(user('127.0.0.1'))).policies[0]!.remaining).toBe(2)
  })
})

describe('what is given back', () => {
  it('is nothing to those who hang up: 200 clients at random points of a login, under quotas of 5 and 20', async () => {
    let [checks, running] = [0, 0]
    const seen: unknown[] = []
    const login = rateLimit({
      name: 'abandoned',
      policies: [
        { name: 'account', quota: 5, windowMs: 600_000, partitionKey: () => user('ann') },
        { name: 'address', quota: 20, windowMs: 600_000 },
      ],
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    })
    const guess: express.RequestHandler = async (_req, res) => {
      checks++
      running++
      await sleep(30)
      running--
      res.sendStatus(401)
    }
    // Without a policy for the account, each address has what its own quota allows.
    const byAddress = rateLimit({ name: 'abandoned by address', policies: [burst(5)] })
    const app = express().post('/login', login, guess).post('/address', byAddress, guess)
    app.use(((error, _req, res, _next) => {
      if (error.status !== 429) seen.push(error)
      res.sendStatus(error.status)
    }) as express.ErrorRequestHandler)
    const { port } = new URL(await listen(app))
    const draw = random('abandoned')
    for (const path of ['/login', '/address']) {
      checks = 0
      await Promise.all(
        Array.from({ length: 200 }, async () => {
          await sleep(draw.integer(60))
          const socket = connect(Number(port), '127.0.0.1')
          socket.on('error', () => {})
          socket.resume()
          socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
          const patience = draw.oneOf([0, draw.integer(45)])
          if (patience > 0) await sleep(patience)
          else await once(socket, 'connect')
          if (draw.unit() < 0.5) socket.resetAndDestroy()
          else socket.end()
        }),
      )
      // Behind those that wait for an answer there is nobody that the server has not heard of.
      await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })
      await expect.poll(() => running, { timeout: 10_000 }).toBe(0)
      expect(checks).toBeLessThanOrEqual(5)
      expect(checks).toBeGreaterThan(0)
    }
    expect(seen).toEqual([])
  })

  it('is what the answer says, once it is sent', async () => {
    const login = rateLimit({
      name: 'answered',
      policies: [burst(2)],
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    })
    let status = 204
    const app = express().post('/login', login, (_req, res) => void res.sendStatus(status))
    const url = await listen(app)
    for (let i = 0; i < 5; i++) expect((await fetch(`${url}/login`, { method: 'POST' })).status).toBe(204)
    status = 401
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await fetch(`${url}/login`, { method: 'POST' })).status)
    expect(statuses).toEqual([401, 401, 429])
  })

  it('is a cost for each policy', async () => {
    const limit = rateLimit({
      policies: [
        { name: 'requests', quota: 60, windowMs: 600_000 },
        { name: 'tokens', quota: 100_000, windowMs: 600_000, cost: 1_000 },
      ],
      settle: true,
    })
    const decision = await limit.consume(user('ann'))
    await expect(limit.settle(decision, 700)).rejects.toThrow(/by name/)
    await expect(limit.settle(decision, { token: 700 })).rejects.toThrow(/no policy `token`/)
    await limit.settle(decision, { tokens: 700 })
    expect((await limit.peek(user('ann'))).policies.map(({ remaining }) => remaining)).toEqual([59, 99_300])
    const second = await limit.consume(user('ann'), { requests: 2, tokens: 300 })
    await limit.settle(second, { requests: 0 })
    expect((await limit.peek(user('ann'))).policies.map(({ remaining }) => remaining)).toEqual([59, 99_000])
  })
})
