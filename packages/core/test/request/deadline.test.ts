import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requestDeadline, requestTimeoutMs } from '../../src/request/deadline.js'

it.each<[headers: Record<string, string>, ms: number | undefined]>([
  [{}, undefined],
  [{ 'request-timeout': '5' }, 5_000],
  [{ 'request-timeout': '0.25' }, 250],
  [{ 'request-timeout': '0' }, 0],
  [{ 'request-timeout': '-1' }, undefined],
  [{ 'request-timeout': '1e9' }, undefined],
  [{ 'request-timeout': '' }, undefined],
  [{ 'grpc-timeout': '100m' }, 100],
  [{ 'grpc-timeout': '2S' }, 2_000],
  [{ 'grpc-timeout': '1H' }, 3_600_000],
  [{ 'grpc-timeout': '3M' }, 180_000],
  [{ 'grpc-timeout': '500u' }, 0.5],
  [{ 'grpc-timeout': '1000000n' }, 1],
  [{ 'grpc-timeout': '123456789m' }, undefined],
  [{ 'grpc-timeout': '5' }, undefined],
  [{ 'grpc-timeout': '1S', 'request-timeout': '3' }, 1_000],
  [{ 'grpc-timeout': '1S', 'request-timeout': 'soon' }, 1_000],
])('%j is %s', (headers, ms) => {
  expect(requestTimeoutMs(headers)).toBe(ms)
})

it('is a number of at least 0 or nothing, whatever a client sends (generated)', () => {
  const value = fc.oneof(fc.string(), fc.stringMatching(/^\d{0,12}[HMSmun.]?\d{0,4}$/))
  fc.assert(
    fc.property(value, value, (seconds, grpc) => {
      const ms = requestTimeoutMs({ 'request-timeout': seconds, 'grpc-timeout': grpc })
      expect(ms === undefined || (Number.isFinite(ms) && ms >= 0)).toBe(true)
    }),
  )
})

describe('the deadline of a request', () => {
  const request = (headers: Record<string, string>): IncomingMessage =>
    ({ headers, rawHeaders: [] }) as unknown as IncomingMessage

  it('is none if nobody says anything', () => {
    expect(requestDeadline(request({}))).toBe(Number.POSITIVE_INFINITY)
  })

  it('counts from when it was first asked for, and can only be shortened', () => {
    const req = request({ 'request-timeout': '2' })
    const before = performance.now()
    const first = requestDeadline(req)
    expect(first).toBeGreaterThanOrEqual(before + 2_000)
    expect(first).toBeLessThanOrEqual(performance.now() + 2_000)
    expect(requestDeadline(req)).toBe(first)
    expect(requestDeadline(req, 60_000)).toBe(first)
    const shortened = requestDeadline(req, 100)
    expect(shortened).toBeLessThan(first)
    expect(requestDeadline(req)).toBe(shortened)
  })
})
