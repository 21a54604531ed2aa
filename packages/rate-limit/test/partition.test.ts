import { InvalidOption } from '@scale/core'
import express from 'express'
import { describe, expect, it } from 'vitest'
import {
  address,
  addressHierarchy,
  apiKey,
  type LimitedRequest,
  partition,
  rateLimit,
  route,
  user,
} from '../src/index.js'

const request = (fields: object): LimitedRequest => fields as LimitedRequest

describe('partitions', () => {
  it('never look alike if they differ, and hold no brace of a client', () => {
    const values = [
      'a',
      'b',
      'a:b',
      'a%3ab',
      '{a}',
      '}{',
      ' ',
      'ip:192.0.2.1',
      '192.0.2.1',
      'x'.repeat(200),
      'x'.repeat(201),
    ]
    const all = [
      ...values.map(user),
      ...values.map((value) => partition('tenant', value)),
      ...values.map((verified) => apiKey({ verified })),
      address('192.0.2.1'),
      route(request({ method: 'GET' })),
    ]
    expect(new Set(all.map(({ text }) => text)).size).toBe(all.length)
    for (const { text } of all) expect(text).toMatch(/^[^{}]{1,200}$/)
  })

  it('of a secret are its hash', () => {
    expect(apiKey({ verified: 'top-secret' }).text).toMatch(/^api-key:[\w-]{43}$/)
  })

  it('are refused where they name nobody', () => {
    for (const none of [undefined, null, '', 7, {}] as never[]) {
      expect(() => user(none)).toThrow(InvalidOption)
      expect(() => apiKey({ verified: none })).toThrow(InvalidOption)
      expect(() => apiKey(none)).toThrow(InvalidOption)
      expect(() => partition('tenant', none)).toThrow(InvalidOption)
    }
    for (const kind of ['', 'user', 'ip', 'api-key', 'Tenant', '1', 'a:b']) {
      expect(() => partition(kind, 'a')).toThrow(/kind of a partition/)
    }
  })

  it('of a route are by its pattern, not its URL; where no router can be seen, its mount is unknown', () => {
    const ask = (id: string) =>
      route(request({ method: 'GET', baseUrl: '/v1', route: { path: '/users/:id' }, url: `/users/${id}` }))
    expect(ask('1').text).toBe('route:GET:%2a/users/%3aid')
    expect(ask('2')).toEqual(ask('1'))
  })

  it('of an upgrade go through the hops that the app trusts', () => {
    const trust = express().set('trust proxy', 1).get('trust proxy fn') as (
      address: string,
      hop: number,
    ) => boolean
    const upgrade = {
      socket: { remoteAddress: '10.0.0.5' },
      headers: { 'x-forwarded-for': '192.0.2.66, 203.0.113.9' },
    }
    expect(address(upgrade)).toEqual(address('10.0.0.5'))
    expect(address(upgrade, { trust })).toEqual(address('203.0.113.9'))
    expect(address(upgrade, { trust: () => true })).toEqual(address('192.0.2.66'))
    expect(address({ ...upgrade, headers: {} }, { trust })).toEqual(address('10.0.0.5'))
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
    const req = request({ ip: '192.0.2.3', headers: {}, socket: {} })
    await new Promise((resolve) => middleware(req, { setHeader() {}, writeHead() {} } as never, resolve))
    expect(middleware.decisionOf(req)?.policies.map(({ policy }) => policy)).toEqual(['address/64'])
  })
})
