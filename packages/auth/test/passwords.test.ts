import { hash as digest, scryptSync } from 'node:crypto'
import * as argon2 from '@node-rs/argon2'
import bcrypt from 'bcryptjs'
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
    await expect(check('plain text', 'x')).rejects.toThrow(/no hash of Argon2, scrypt or bcrypt/)
    await expect(hash('x')).resolves.toMatch(/^\$argon2id/)
  })

  it('cannot be had too cheap', () => {
    expect(() => passwords({ memoryKiB: 1_024 })).toThrow(/`memoryKiB` must be/)
  })
})

describe('hashes of an earlier time', () => {
  const { hash, check } = passwords({ ...fast, bcrypt })
  const RFC_7914 =
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162' +
    '2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640'
  const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
  const scryptOf = (password: string): string => {
    const salt = Buffer.from('0123456789abcdef')
    return `$scrypt$ln=10,r=8,p=1$${base64(salt)}$${base64(scryptSync(password, salt, 32, { N: 1_024 }))}`
  }

  it.each([
    ['bcrypt ($2b$)', bcrypt.hashSync('correct horse', 4), 'correct horse'],
    ['bcrypt ($2y$, of PHP)', bcrypt.hashSync('correct horse', 4).replace('$2b$', '$2y$'), 'correct horse'],
    ['bcrypt, of crypt_blowfish', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
    ['scrypt', scryptOf('correct horse'), 'correct horse'],
    [
      'scrypt, of RFC 7914',
      `$scrypt$ln=10,r=8,p=16$TmFDbA$${base64(Buffer.from(RFC_7914, 'hex'))}`,
      'password',
    ],
  ])('%s match, and want to be hashed again', async (_name, stored, password) => {
    expect(await check(stored, password)).toEqual({ isMatch: true, needsRehash: true })
    expect(await check(stored, `${password}x`)).toEqual({ isMatch: false, needsRehash: false })
    expect(await check(await hash(password), password)).toEqual({ isMatch: true, needsRehash: false })
  })

  it('that nothing here can check are told, and not just wrong', async () => {
    await expect(passwords(fast).check(bcrypt.hashSync('x', 4), 'x')).rejects.toThrow(
      /pass the option `bcrypt`/,
    )
    for (const stored of [
      '',
      '$2b$10$short',
      '$scrypt$ln=30,r=8,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdHM',
      '$scrypt$ln=0,r=0,p=0$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdHM',
      '5f4dcc3b5aa765d61d8327deb882cf99',
    ]) {
      await expect(check(stored, 'x')).rejects.toThrow(/no hash of Argon2, scrypt or bcrypt/)
    }
  })
})

describe('a pepper', () => {
  const [first, second] = ['the first secret, of 32 characters', 'the second secret, of 32 characters']
  it('is needed to check, and is not in the hash', async () => {
    const { hash, check } = passwords({ ...fast, peppers: [first] })
    const stored = await hash('x')
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=8192,t=1,p=1,keyid=[\w-]{8}\$/)
    expect(await check(stored, 'x')).toEqual({ isMatch: true, needsRehash: false })
    expect(await check(stored, 'y')).toEqual({ isMatch: false, needsRehash: false })
    expect(await check(undefined, 'x')).toEqual({ isMatch: false, needsRehash: false })
    // Who strips the name of the pepper has not stripped the pepper.
    const bare = stored.replace(/,keyid=[\w-]+/, '')
    expect(await passwords(fast).check(bare, 'x')).toEqual({ isMatch: false, needsRehash: false })
    await expect(passwords({ ...fast, peppers: [second] }).check(stored, 'x')).rejects.toThrow(/pepper/)
    await expect(passwords(fast).check(stored, 'x')).rejects.toThrow(/pepper/)
  })

  it('changes: earlier ones and none still match, and want to be hashed again', async () => {
    const { check } = passwords({ ...fast, peppers: [second, first] })
    for (const earlier of [passwords({ ...fast, peppers: [first] }), passwords(fast)]) {
      const stored = await earlier.hash('x')
      expect(await check(stored, 'x')).toEqual({ isMatch: true, needsRehash: true })
      expect(await check(stored, 'y')).toEqual({ isMatch: false, needsRehash: false })
    }
  })
})

describe('a list of breached passwords', () => {
  it('is asked by five characters, and its padding is none', async () => {
    const sha1 = digest('sha1', 'password1', 'hex').toUpperCase()
    const asked: string[] = []
    const padded = digest('sha1', 'never breached', 'hex').toUpperCase()
    const { isBreached } = passwords({
      breachedRange: async (prefix) => {
        asked.push(prefix)
        return [`${'0'.repeat(35)}:3`, `${sha1.slice(5)}:2401761`, `${padded.slice(5)}:0`].join('\r\n')
      },
    })
    expect(await isBreached('password1')).toBe(true)
    expect(await isBreached('correct horse')).toBe(false)
    expect(await isBreached('never breached')).toBe(false)
    expect(asked).toEqual(
      [sha1, digest('sha1', 'correct horse', 'hex').toUpperCase(), padded].map((one) => one.slice(0, 5)),
    )
  })

  it('that is away is an error of its own, and one that is not there is a fault of the program', async () => {
    const away = new Error('away')
    await expect(passwords({ breachedRange: () => Promise.reject(away) }).isBreached('x')).rejects.toBe(away)
    await expect(passwords().isBreached('x')).rejects.toThrow(/breachedRange/)
  })
})
