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
    await login.begin(pending, '/', nowMs)
    return [`state-${begun}`, pending]
  }
  /** Which of these can still be finished, in a copy. */
  const open = (states: string[], pending: PendingLogins, nowMs: number): string[] =>
    states.filter((state) => {
      try {
        return login.take({ ...pending }, answer(state), nowMs).state === state
      } catch {
        return false
      }
    })

  it('are over after ten minutes, to the millisecond', async () => {
    const [state, pending] = await begin(1_000)
    const same = { ...pending }
    expect(login.take(pending, answer(state), 600_999)).toMatchObject({
      state,
      nonce: `nonce-${begun}`,
      codeVerifier: `verifier-${begun}`,
      returnTo: '/',
    })
    expect(pending).toEqual({})
    expect(() => login.take(same, answer(state), 601_000)).toThrow(/is over/)
  })

  it('that are over make room, and of the others the five that were begun last are kept', async () => {
    const pending: PendingLogins = {}
    const states = []
    for (const nowMs of [0, 1, 400_000, 400_001, 400_002]) states.push((await begin(nowMs, pending))[0])
    states.push((await begin(600_000, pending))[0])
    // The first is over, so the second need not go.
    expect(open(states, pending, 600_000)).toEqual(states.slice(1))
    states.push((await begin(600_000, pending))[0])
    expect(open(states, pending, 600_000)).toEqual(states.slice(2))
    expect(Object.keys(pending)).toHaveLength(5)
  })

  it('are known by nothing but their state, and have none of it in their keys', async () => {
    const [state, pending] = await begin(0)
    const other = Object.assign(pending, { cart: ['x'] })
    for (const text of ['', 'constructor', '__proto__', 'toString', 'state-']) {
      expect(() => login.take(pending, answer(text), 1)).toThrow(/not begun/)
    }
    expect(() => login.take(pending, new URLSearchParams(), 1)).toThrow(/not begun/)
    expect(JSON.stringify(Object.keys(pending))).not.toContain(state)
    login.take(pending, answer(state), 1)
    expect(other).toEqual({ cart: ['x'] })
  })
})
