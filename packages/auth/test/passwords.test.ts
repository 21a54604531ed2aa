import * as argon2 from '@node-rs/argon2'
import { describe, expect, it, vi } from 'vitest'
import { PasswordsBusy, passwords } from '../src/index.js'

// The real one, with its calls counted.
vi.mock('@node-rs/argon2', async (original) => {
  const real = await original<typeof argon2>()
  return { ...real, verify: vi.fn(real.verify) }
})
const verify = vi.mocked(argon2.verify)

const fast = { memoryKiB: 8_192, passes: 1 }

describe('passwords', () => {
  it('are hashed with Argon2id and the parameters of OWASP, each with a salt of its own', async () => {
    const { hash, check } = passwords()
    const [one, other] = await Promise.all([hash('correct horse'), hash('correct horse')])
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(one).not.toBe(other)
    expect(await check(one, 'correct horse')).toEqual({ isMatch: true, needsRehash: false })
    expect(await check(one, 'wrong horse')).toEqual({ isMatch: false, needsRehash: false })
  })

  it('of an unknown user never match, not even what they are compared with, and take the same work', async () => {
    const { check, hash } = passwords()
    const stored = await hash('x')
    const workOf = async (of: string | undefined, password: string) => {
      verify.mockClear()
      expect(await check(of, password)).toEqual({ isMatch: false, needsRehash: false })
      return verify.mock.calls.map(([expected]) => String(expected).split('$').slice(1, 4))
    }
    const known = await workOf(stored, 'y')
    expect(known).toEqual([['argon2id', 'v=19', 'm=19456,t=2,p=1']])
    expect(await workOf(undefined, 'y')).toEqual(known)
    expect(await workOf(undefined, 'no password hashes to this one')).toEqual(known)
  })

  it('that were hashed with other parameters want to be hashed again, once they match', async () => {
    const old = await passwords(fast).hash('x')
    const { check, hash } = passwords({ ...fast, passes: 2 })
    expect(await check(old, 'x')).toEqual({ isMatch: true, needsRehash: true })
    expect(await check(old, 'y')).toEqual({ isMatch: false, needsRehash: false })
    expect(await check(await hash('x'), 'x')).toEqual({ isMatch: true, needsRehash: false })
  })

  it('are turned away when too many wait (503), and taken again when they do not', async () => {
    const { hash } = passwords({ ...fast, concurrency: 2, maxWaiting: 3 })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => hash('x')))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(failures).toHaveLength(3)
    expect(failures[0]).toBeInstanceOf(PasswordsBusy)
    expect(failures[0]).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } })
    await expect(hash('x')).resolves.toMatch(/^\$argon2id/)
  })

  it('wait for nobody who failed', async () => {
    const { check, hash } = passwords({ ...fast, concurrency: 1 })
    await expect(check('$argon2id$nonsense', 'x')).rejects.toThrow()
    await expect(check('plain text', 'x')).rejects.toThrow(/no hash of Argon2/)
    await expect(hash('x')).resolves.toMatch(/^\$argon2id/)
  })

  it('cannot be had too cheap', () => {
    expect(() => passwords({ memoryKiB: 1_024 })).toThrow(/`memoryKiB` must be/)
  })
})
