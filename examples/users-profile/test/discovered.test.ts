import { describe, expect, it } from 'vitest'
import { discovered } from '../src/infrastructure/discovered.js'

describe('discovered', () => {
  /** A thing to be found, and a clock, both of which the test moves. */
  function world() {
    const state = { nowMs: 0, asked: 0, isThere: true }
    const find = async (): Promise<string> => {
      state.asked++
      if (!state.isThere) throw new Error('nobody there')
      return `found ${state.asked}`
    }
    return { state, get: discovered(find, () => state.nowMs) }
  }
  const retryAfterOf = async (get: () => Promise<string>): Promise<string> => {
    const error = await get().then(
      () => undefined,
      (reason: { status: number; headers: Record<string, string> }) => reason,
    )
    expect(error?.status).toBe(503)
    return error!.headers['Retry-After']!
  }

  it('asks once for all who wait, and keeps it', async () => {
    const { state, get } = world()
    expect(await Promise.all([get(), get(), get()])).toEqual(['found 1', 'found 1', 'found 1'])
    state.nowMs = 3_599_999
    expect([await get(), state.asked]).toEqual(['found 1', 1])
    state.nowMs = 3_600_000
    expect([await get(), state.asked]).toEqual(['found 2', 2])
  })

  it('pauses for twice as long after each failure, 30 s at most, and tells what is left of it', async () => {
    const { state, get } = world()
    state.isThere = false
    for (const pause of [1, 2, 4, 8, 16, 30, 30]) {
      const { asked } = state
      expect(await retryAfterOf(get)).toBe(String(pause))
      state.nowMs += pause * 1_000 - 1
      expect(await retryAfterOf(get)).toBe('1')
      expect(state.asked).toBe(asked + 1)
      state.nowMs += 1
    }
    state.isThere = true
    expect(await get()).toBe('found 8')
  })

  it('goes on with what it had while it cannot be found anew, and begins with a short pause', async () => {
    const { state, get } = world()
    await get()
    Object.assign(state, { nowMs: 3_600_000, isThere: false })
    expect([await get(), await get(), state.asked]).toEqual(['found 1', 'found 1', 2])
    Object.assign(state, { nowMs: 3_601_000, isThere: true })
    expect([await get(), state.asked]).toEqual(['found 3', 3])
  })
})
