import { describe, expect, it } from 'vitest'
import { oidcLogin, type PendingLogins } from '../src/services/oidc-login.js'

describe('pending logins', () => {
  let begun = 0
  const login = oidcLogin({
    begin: async () => {
      begun++
      const checks = { state: `state-${begun}`, nonce: `nonce-${begun}`, codeVerifier: `verifier-${begun}` }
      return { url: 'https://provider.example', checks }
    },
    finish: () => Promise.reject(new Error('not asked')),
  })
  const answer = (state: string) => new URLSearchParams({ state })
  const begin = async (nowMs: number, pending: PendingLogins = {}): Promise<[string, PendingLogins]> => {
    const next = await login.begin(pending, '/', nowMs)
    return [`state-${begun}`, next.pending]
  }

  it('are over after ten minutes, to the millisecond', async () => {
    const [state, pending] = await begin(1_000)
    expect(login.take(pending, answer(state), 600_999)).toMatchObject({
      login: { state, nonce: `nonce-${begun}`, codeVerifier: `verifier-${begun}`, returnTo: '/' },
      pending: {},
    })
    expect(() => login.take(pending, answer(state), 601_000)).toThrow(/is over/)
  })

  it('that are over make room, and of the others the five that were begun last are kept', async () => {
    let pending: PendingLogins = {}
    const states = []
    for (const nowMs of [0, 1, 400_000, 400_001, 400_002]) {
      const [state, next] = await begin(nowMs, pending)
      states.push(state)
      pending = next
    }
    const [sixth, afterSixth] = await begin(600_000, pending)
    // The first is over, so the second need not go.
    expect(Object.keys(afterSixth)).toEqual([...states.slice(1), sixth])
    const [seventh, afterSeventh] = await begin(600_000, afterSixth)
    expect(Object.keys(afterSeventh)).toEqual([...states.slice(2), sixth, seventh])
  })

  it('are known by nothing but their state', async () => {
    const [, pending] = await begin(0)
    for (const text of ['', 'constructor', '__proto__', 'toString', 'state-']) {
      expect(() => login.take(pending, answer(text), 1)).toThrow(/not begun/)
    }
    expect(() => login.take(pending, new URLSearchParams(), 1)).toThrow(/not begun/)
  })
})
