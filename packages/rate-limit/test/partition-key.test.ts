import { describe, expect, it } from 'vitest'
import { addressHierarchy, byHeader, byRoute, type LimitedRequest, rateLimit } from '../src/index.js'
import { escapePartition } from '../src/partition-key.js'

const request = (fields: object): LimitedRequest => fields as LimitedRequest

describe('partitions', () => {
  it('never look alike if they differ, and hold no brace or colon of a client', () => {
    const partitions = [
      ['a', 'b'],
      ['a:b'],
      'a:b',
      'a',
      ['a', ''],
      ['', 'a'],
      'a%3ab',
      '{a}',
      '}{',
      '',
      'x'.repeat(200),
      'x'.repeat(201),
      ['ip', '192.0.2.1'],
      'ip:192.0.2.1',
    ]
    const written = partitions.map(escapePartition)
    // The same name as a list of one and as a string is the same.
    expect(new Set(written).size).toBe(partitions.length - 1)
    for (const text of written) expect(text).toMatch(/^[^{}]{1,200}$/)
  })

  it('of a secret are its hash', () => {
    const [kind, key] = byHeader('X-Api-Key')(request({ headers: { 'x-api-key': 'top-secret' } })) as string[]
    expect(kind).toBe('header')
    expect(key).toMatch(/^[\w-]{43}$/)
    expect(byHeader('x-api-key')(request({ headers: {} }))).toBeUndefined()
  })

  it('of a route are by its pattern, not its URL; where no router can be seen, its mount is unknown', () => {
    const within = byRoute()
    const ask = (id: string) =>
      within(
        request({
          method: 'GET',
          baseUrl: '/v1',
          route: { path: '/users/:id' },
          url: `/users/${id}`,
          ip: '192.0.2.1',
        }),
      )
    expect(ask('1')).toEqual(['GET', '*/users/:id', 'ip', '192.0.2.1'])
    expect(ask('2')).toEqual(ask('1'))
  })
})

describe('addressHierarchy', () => {
  let prefixes = 0
  const limiter = () =>
    rateLimit({
      prefix: `hierarchy:${++prefixes}`,
      policies: addressHierarchy({ name: 'address', quota: 2, windowMs: 60_000 }, { factor: 2 }),
    })
  const ask = (middleware: ReturnType<typeof limiter>, ip: string) =>
    new Promise<unknown>((resolve) => {
      const response = { setHeader() {}, writeHead() {}, headersSent: false }
      middleware(request({ ip, headers: {}, socket: {} }), response as never, resolve)
    })

  it('lets a /56 have twice what a /64 has, and a /48 twice that', async () => {
    const middleware = limiter()
    const violated: unknown[] = []
    for (const subnet of ['1', '1', '1', '2', '2', '3', '100', '101', '101']) {
      const error = (await ask(middleware, `2001:db8:0:${subnet}::1`)) as
        | { extensions?: Record<string, unknown> }
        | undefined
      violated.push(error?.extensions?.['violated-policies'])
    }
    expect(violated).toEqual([
      undefined,
      undefined,
      ['address/64'],
      undefined,
      undefined,
      ['address/56'],
      undefined,
      undefined,
      undefined,
    ])
  })

  it('counts an IPv4 address once', async () => {
    const middleware = limiter()
    expect([await ask(middleware, '192.0.2.1'), await ask(middleware, '192.0.2.1')]).toEqual([
      undefined,
      undefined,
    ])
    expect(await ask(middleware, '192.0.2.1')).toMatchObject({ status: 429 })
    expect(await ask(middleware, '192.0.2.2')).toBeUndefined()
  })
})
