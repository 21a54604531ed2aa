import { describe, expect, it } from 'vitest'
import { Breaker } from '../src/breaker.js'
import { type BreakerMessage, breakerChannel } from '../src/channels.js'

const policy = { failures: 3, pauseMs: 500 }

function openBreaker(nowMs: number): Breaker {
  const breaker = new Breaker('', policy)
  for (let i = 0; i < policy.failures; i++) {
    breaker.admit(nowMs)
    breaker.fail(nowMs)
  }
  return breaker
}

describe('Breaker', () => {
  it('opens on failures in a row, not on their sum', () => {
    const breaker = new Breaker('', policy)
    for (let i = 0; i < 10; i++) {
      breaker.fail(0)
      breaker.fail(0)
      breaker.succeed()
    }
    expect(breaker.state).toBe('closed')
    expect(openBreaker(0).state).toBe('open')
  })

  it('refuses while the pause lasts and says how long', () => {
    const breaker = openBreaker(1_000)
    expect(breaker.admit(1_499)).toBe(false)
    expect(breaker.retryAfterMs(1_200)).toBe(300)
  })

  it('holds nothing against the server for what was never sent, but ends a probe', () => {
    const closed = new Breaker('', policy)
    for (let i = 0; i < 10; i++) closed.abandon(0)
    expect(closed.state).toBe('closed')
    const probing = openBreaker(1_000)
    probing.admit(1_500)
    probing.abandon(1_501)
    expect(probing.admit(1_502)).toBe(false)
    expect(probing.admit(2_001)).toBe(true)
  })

  it('lets exactly one probe through after the pause', () => {
    const breaker = openBreaker(1_000)
    expect(breaker.allows(1_500)).toBe(true)
    expect([1_500, 1_500, 1_600].map((nowMs) => breaker.admit(nowMs))).toEqual([true, false, false])
    expect(breaker.state).toBe('half-open')
  })

  it('closes when the probe succeeds', () => {
    const breaker = openBreaker(1_000)
    breaker.admit(1_500)
    breaker.succeed()
    expect(breaker.state).toBe('closed')
    expect(breaker.admit(1_500)).toBe(true)
  })

  it('pauses anew when the probe fails', () => {
    const breaker = openBreaker(1_000)
    breaker.admit(1_500)
    breaker.fail(1_600)
    expect(breaker.state).toBe('open')
    expect(breaker.admit(2_099)).toBe(false)
    expect(breaker.admit(2_100)).toBe(true)
  })

  it('probes at once over a new connection', () => {
    const breaker = openBreaker(1_000)
    breaker.reconnected(1_001)
    expect([breaker.admit(1_001), breaker.admit(1_001)]).toEqual([true, false])
  })

  it('counts how long it fails from the opening, not from the last probe', () => {
    const breaker = openBreaker(1_000)
    breaker.admit(1_500)
    breaker.fail(1_600)
    expect(breaker.failingForMs(2_000)).toBe(1_000)
    breaker.reconnected(2_000)
    expect(breaker.failingForMs(2_100)).toBe(100)
  })

  it('publishes each change of state with its node', () => {
    const messages: BreakerMessage[] = []
    const stop = breakerChannel.subscribe((message) => messages.push(message))
    const breaker = new Breaker('127.0.0.1:7000', { failures: 1, pauseMs: 10 })
    breaker.fail(0)
    breaker.admit(10)
    breaker.succeed()
    stop()
    const node = '127.0.0.1:7000'
    expect(messages).toEqual([
      { from: 'closed', to: 'open', node },
      { from: 'open', to: 'half-open', node },
      { from: 'half-open', to: 'closed', node },
    ])
  })
})
