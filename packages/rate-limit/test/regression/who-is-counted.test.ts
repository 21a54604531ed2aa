import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type Express, type Router } from 'express'
import express4 from 'express4'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { address, byAddress, byRoute, rateLimit } from '../../src/index.js'

// Who is counted, what is charged and when it is given back, as clients and proxies of every kind would have it otherwise.

let prefixes = 0
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listen(app: Express): Promise<string> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const burst = (quota: number) => ({ name: 'burst', quota, windowMs: 600_000 })

describe.each([
  ['Express 5', () => express(), () => express.Router()],
  ['Express 4', () => express4() as unknown as Express, () => express4.Router() as unknown as Router],
])('byRoute in %s', (_, make, router) => {
  async function served(): Promise<string> {
    const app = make()
    const limit = rateLimit({ prefix: `routes:${++prefixes}`, policies: [burst(1)], partitionKey: byRoute() })
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
  const of = (ip: string) => [...byAddress()({ ip })]

  it('are what is left without ports and brackets, in one spelling', () => {
    for (const text of [
      '203.0.113.7',
      '203.0.113.7:4711',
      '::ffff:203.0.113.7',
      '[::ffff:cb00:7107]:80',
      '[::ffff:203.0.113.7]',
    ]) {
      expect(of(text)).toEqual(['ip', '203.0.113.7'])
    }
    for (const text of [
      '2001:db8::1',
      '[2001:db8::1]',
      '[2001:DB8::1]:65535',
      '2001:db8:0:0:0:0:0:1',
      '[fe80::1%eth0]:1',
    ]) {
      expect(of(text)[1]).toMatch(/\/56$/)
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
          expect(of(text)).not.toEqual(['ip', 'unknown'])
          expect(address(ip)).toEqual(of(ip))
        },
      ),
    )
  })

  it('that cannot be read are counted together, with one warning that tells their shape and not their value', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error & { code?: string }): void => {
      if (warning.code === 'SCALE_RATE_LIMIT_ADDRESS') warnings.push(warning.message)
    }
    process.on('warning', onWarning)
    expect(of('host-17.example')).toEqual(['ip', 'unknown'])
    expect([...byAddress()({})]).toEqual(['ip', 'unknown'])
    await expect.poll(() => warnings).toHaveLength(1)
    expect(warnings[0]).toContain('aaaa-99.aaaaaaa')
    process.off('warning', onWarning)
  })

  it('named by themselves are who is counted, by any call', async () => {
    const limit = rateLimit({ name: 'addresses', policies: [burst(2)] })
    const app = express().use(limit)
    app.get('/', (_req, res) => void res.sendStatus(204))
    const url = await listen(app)
    expect((await fetch(url)).status).toBe(204)
    for (const subject of ['127.0.0.1', '::ffff:127.0.0.1', address('127.0.0.1')]) {
      expect((await limit.peek(subject)).policies[0]!.remaining).toBe(1)
    }
    await limit.penalty('127.0.0.1', { blockMs: 60_000 })
    expect((await fetch(url)).status).not.toBe(204)
    await limit.reset('127.0.0.1')
    expect((await fetch(url)).status).toBe(204)
    // A name is a name.
    expect((await limit.peek('somebody')).policies[0]!.remaining).toBe(2)
  })
})

describe('what is given back', () => {
  it('is nothing to those who hang up: 200 clients at random points of a login, under quotas of 5 and 20', async () => {
    let checks = 0
    const login = rateLimit({
      name: 'abandoned',
      policies: [
        { name: 'account', quota: 5, windowMs: 600_000 },
        { name: 'address', quota: 20, windowMs: 600_000 },
      ],
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    })
    const app = express().post('/login', login, async (_req, res) => {
      checks++
      await sleep(30)
      res.sendStatus(401)
    })
    const url = new URL(await listen(app))
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        await sleep((index % 20) * 3)
        const socket = connect(Number(url.port), '127.0.0.1')
        socket.on('error', () => {})
        socket.write('POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
        socket.resume()
        await sleep((index * 7) % 45)
        if (index % 2 === 0) socket.resetAndDestroy()
        else socket.end()
      }),
    )
    await sleep(100)
    // Of a connection that is gone already the address is not known: those share a quota of their own.
    expect(checks).toBeLessThanOrEqual(5 + 5)
    expect(checks).toBeGreaterThan(0)
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
    const decision = await limit.consume('ann')
    await expect(limit.settle(decision, 700)).rejects.toThrow(/by name/)
    await expect(limit.settle(decision, { token: 700 })).rejects.toThrow(/no policy `token`/)
    await limit.settle(decision, { tokens: 700 })
    expect((await limit.peek('ann')).policies.map(({ remaining }) => remaining)).toEqual([59, 99_300])
    const second = await limit.consume('ann', { requests: 2, tokens: 300 })
    await limit.settle(second, { requests: 0 })
    expect((await limit.peek('ann')).policies.map(({ remaining }) => remaining)).toEqual([59, 99_000])
  })
})
