import express from 'express'
import { describe, expect, it, vi } from 'vitest'
import type { LimitedRequest } from '../src/partition-key.js'
import { trustProxyDoctor } from '../src/trust-proxy.js'

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
    const [other] = warnings(false, [
      { ip: '10.0.0.5', headers: { forwarded: 'for="[2001:db8::1]";proto=https' } },
    ])
    expect(other).toContain('2001:db8::1')
  })

  it('says that too few are trusted', () => {
    expect(warnings(1, [{ ...forwarded, ip: '10.0.0.7' }])[0]).toContain('counted as 10.0.0.7')
  })

  it('shows nothing of a hop that is no address', () => {
    const [message] = warnings(false, [{ ip: '10.0.0.5', headers: { 'x-forwarded-for': 'secret-token' } }])
    expect(message).toContain('something unreadable')
    expect(message).not.toContain('secret')
  })

  it('ends after the first requests', () => {
    const fine = { ip: '203.0.113.9', headers: {} }
    expect(warnings(false, [...Array(100).fill(fine), forwarded])).toEqual([])
  })
})
