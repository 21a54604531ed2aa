import { timingSafeEqual } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { session } from '../src/index.js'

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) }
})

it('compares what a client presents with timingSafeEqual only', async () => {
  const sessions = session()
  const { token } = await (await sessions.load({})).login('ann')
  const compared = vi.mocked(timingSafeEqual)
  for (const [presented, isGood] of [
    [token, true],
    [`${token.slice(0, -1)}_`, token.endsWith('_')],
  ] as const) {
    compared.mockClear()
    const one = await sessions.load({ cookie: `__Host-session=${presented}` })
    expect(one.userId === 'ann').toBe(isGood)
    expect(compared).toHaveBeenCalledOnce()
    // Digests, never the tokens: 43 characters of base64url.
    expect(compared.mock.calls[0]!.map((side) => side.byteLength)).toEqual([43, 43])
  }
})
