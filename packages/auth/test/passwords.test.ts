import { describe, expect, it } from 'vitest'
import { PasswordsBusy, passwords } from '../src/index.js'

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

  it('of an unknown user never match, not even what they are compared with, and cost as much', async () => {
    const { check, hash } = passwords()
    expect(await check(undefined, 'no password hashes to this one')).toEqual({
      isMatch: false,
      needsRehash: false,
    })
    const stored = await hash('x')
    const cpuOf = async (of: string | undefined): Promise<number> => {
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        const startedAt = process.cpuUsage()
        await check(of, 'y')
        best = Math.min(best, process.cpuUsage(startedAt).user)
      }
      return best
    }
    const [known, unknown] = [await cpuOf(stored), await cpuOf(undefined)]
    // Without the comparison it would be a hundredth.
    expect(Math.min(known, unknown) / Math.max(known, unknown)).toBeGreaterThan(0.3)
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
