import express from 'express'
import { describe, expect, it, vi } from 'vitest'
import type { LimitedRequest } from '../src/request/partition.js'
import { trustProxyDoctor } from '../src/request/trust-proxy.js'

/** What is said of requests with these headers, as Express would show them. */
function warnings(setting: unknown, requests: { ip: string; headers: Record<string, string> }[]): string[] {
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    const app = express()
    if (setting !== undefined) app.set('trust proxy', setting)
    const examine = trustProxyDoctor()
    for (const request of requests) {
      examine({ ...request, app, socket: { remoteAddress: '10.0.0.5' } } as unknown as LimitedRequest)
    }
    return emit.mock.calls.map(([message]) => String(message))
  } finally {
    emit.mockRestore()
  }
}

describe('the check of `trust proxy`', () => {
  const forwarded = { ip: '10.0.0.5', headers: { 'x-forwarded-for': '203.0.113.9, 10.0.0.7' } }

  it('is silent where it fits', () => {
    expect(warnings(undefined, [{ ip: '203.0.113.9', headers: {} }])).toEqual([])
    expect(warnings(2, [{ ...forwarded, ip: '203.0.113.9' }])).toEqual([])
    expect(warnings('loopback', [{ ip: '127.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } }])).toEqual(
      [],
    )
  })

  it('says once that everyone is trusted', () => {
    const [message, ...others] = warnings(true, [forwarded, forwarded])
    expect(message).toContain('each client chooses the address')
    expect(others).toEqual([])
  })

  it('says that nobody is trusted, with the hops and the setting that would fit', () => {
    const [message] = warnings(undefined, [forwarded])
    expect(message).toContain('from 10.0.0.5, which says it came by way of 203.0.113.9 → 10.0.0.7')
    expect(message).toContain("app.set('trust proxy', 2)")
    const edge = { 'x-forwarded-for': '[2001:DB8::1]:80, 10.0.0.7' }
    expect(warnings(false, [{ ip: '10.0.0.5', headers: edge }])[0]).toContain('2001:db8::1 → 10.0.0.7')
  })

  it.each([
    ['x-real-ip', '203.0.113.9'],
    ['cf-connecting-ip', '203.0.113.9'],
    ['forwarded', 'for="[2001:db8::1]";proto=https'],
  ])('says that Express does not read %s', (field, value) => {
    for (const setting of [undefined, 1]) {
      const [message, ...others] = warnings(setting, [{ ip: '10.0.0.5', headers: { [field]: value } }])
      expect(message).toContain(`in \`${field}\`, which Express does not read`)
      expect(message).toContain('X-Forwarded-For')
      expect(message).not.toContain('203.0.113.9')
      expect(others).toEqual([])
    }
  })

  it('counts two proxies in a row, whatever the client has made up', () => {
    for (const made of ['', '198.51.100.1, ', '10.0.0.1, 198.51.100.1, ']) {
      // A proxy of the own network behind an edge with a public address, which names the client.
      const edge = {
        'x-forwarded-for': `${made}203.0.113.9, 198.51.100.7`,
        'cf-connecting-ip': '203.0.113.9',
        'x-real-ip': '198.51.100.7',
      }
      for (const setting of [undefined, true]) {
        const [message] = warnings(setting, [{ ip: '10.0.0.5', headers: edge }])
        expect(message).toContain("app.set('trust proxy', 2).")
      }
      const [fewer] = warnings(1, [{ ip: '198.51.100.7', headers: edge }])
      expect(fewer).toContain('counted as 198.51.100.7, which is a proxy')
      expect(fewer).toContain("app.set('trust proxy', 2).")
      expect(warnings(2, [{ ip: '203.0.113.9', headers: edge }])).toEqual([])
      // Two proxies of the own network: the last address that is not of it is the client, or one more proxy.
      const own = { 'x-forwarded-for': `${made}203.0.113.9, 10.0.0.7` }
      const [off] = warnings(false, [{ ip: '10.0.0.5', headers: own }])
      expect(off).toContain("app.set('trust proxy', 2)")
    }
  })

  it('says that too many are trusted', () => {
    const edge = { 'x-forwarded-for': '192.0.2.66, 203.0.113.9', 'cf-connecting-ip': '203.0.113.9' }
    const [message] = warnings(2, [{ ip: '192.0.2.66', headers: edge }])
    expect(message).toContain('trusts more proxies than there are')
    expect(message).toContain("app.set('trust proxy', 1).")
  })

  it('says that too few are trusted', () => {
    expect(warnings(1, [{ ...forwarded, ip: '10.0.0.7' }])[0]).toContain('counted as 10.0.0.7')
  })

  it('shows nothing of a hop that is no address', () => {
    const [message] = warnings(false, [{ ip: '10.0.0.5', headers: { 'x-forwarded-for': 'secret-token' } }])
    expect(message).toContain('something unreadable')
    expect(message).not.toContain('secret')
  })

  it('says that a proxy names no client, unless one request had a name, or came from outside', () => {
    const unnamed = { ip: '10.0.0.5', headers: {} }
    const [message, ...others] = warnings(1, Array(40).fill(unnamed))
    expect(message).toMatch(
      /none of 20 requests that came from 10\.0\.0\.5 had `X-Forwarded-For`.*docs\/guides\/nginx\.md/,
    )
    expect(others).toEqual([])
    expect(warnings(1, Array(19).fill(unnamed))).toEqual([])
    expect(warnings(undefined, Array(40).fill(unnamed))).toEqual([])
    const named = { ip: '203.0.113.9', headers: { 'x-forwarded-for': '203.0.113.9' } }
    expect(warnings(1, [named, ...Array(40).fill(unnamed)])).toEqual([])
  })

  it('ends after the first requests', () => {
    const fine = { ip: '203.0.113.9', headers: {} }
    expect(warnings(false, [...Array(100).fill(fine), forwarded])).toEqual([])
  })
})
