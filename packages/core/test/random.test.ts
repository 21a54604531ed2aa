import { expect, it } from 'vitest'
import { randomText } from '../src/index.js'

it('gives texts of the wanted length, of which none comes twice, over many fillings of the pool', () => {
  const texts = Array.from({ length: 20_000 }, () => randomText(12, 'base64url'))
  expect(new Set(texts).size).toBe(20_000)
  for (const text of texts) expect(text).toMatch(/^[\w-]{16}$/)
  expect(randomText(5, 'hex')).toMatch(/^[0-9a-f]{10}$/)
  expect(randomText(8, 'latin1')).toHaveLength(8)
})

it('uses every bit', () => {
  let seen = 0
  for (let i = 0; i < 1_000; i++) seen |= Buffer.from(randomText(4, 'hex'), 'hex').readInt32BE()
  expect(seen).toBe(-1)
})
