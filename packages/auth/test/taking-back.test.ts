import { setTimeout as delay } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AccessTokenClaims,
  type FamilyStore,
  InvalidGrant,
  memoryFamilyStore,
  memoryRevocationStore,
  type Revocation,
  type RevocationStore,
  redisFamilyStore,
  redisRevocationStore,
  revocation,
  signingKeys,
  type TokenIssuer,
  type TokenResponse,
  tokenIssuer,
} from '../src/index.js'
import { useRedis } from './redis.js'
import { ISSUER, testKey } from './tokens.js'

const redis = useRedis()
const keys = signingKeys(testKey('EdDSA', 'k').privateJwk)

/** Fails one call of the stores behind it, counted from 1: before it did anything, or after. */
class Faults {
  failAt = 0
  calls = 0
  isReplyLost = false

  of<Store extends object>(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
        return async (...args: unknown[]) => {
          const fails = ++this.calls === this.failAt
          if (fails && !this.isReplyLost) throw new Error('not asked')
          const result = await method.apply(target, args)
          if (fails) throw new Error('reply lost')
          return result
        }
      },
    })
  }
}

interface Stores {
  families: FamilyStore
  marks: RevocationStore
}

const kinds: [string, () => Stores][] = [
  ['memory', () => ({ families: memoryFamilyStore(), marks: memoryRevocationStore() })],
  [
    'Redis',
    () => ({
      families: redisFamilyStore({ redis: redis.client }),
      marks: redisRevocationStore({ redis: redis.client }),
    }),
  ],
]

let users = 0

interface Scene {
  issuer: TokenIssuer
  revoked: Revocation
  userId: string
  first: TokenResponse
  second: TokenResponse
}

/** Each takes everything of one sign-in back. */
const ways: [string, (scene: Scene) => Promise<unknown>][] = [
  ['logout', ({ issuer, second }) => issuer.revoke(second.refresh_token)],
  ['logout with a token that was replaced', ({ issuer, first }) => issuer.revoke(first.refresh_token)],
  [
    'ending one of the list',
    ({ issuer, userId, first }) => issuer.of(userId).revoke(String(decodeJwt(first.access_token).sid)),
  ],
  ['ending all', ({ issuer, userId }) => issuer.of(userId).revokeAll()],
  [
    'a token that was used again',
    async ({ issuer, first }) => {
      await expectGrantRefused(issuer.refresh(first.refresh_token))
    },
  ],
]

async function expectGrantRefused(refreshing: Promise<unknown>): Promise<void> {
  const error: unknown = await refreshing.then(
    () => undefined,
    (reason) => reason,
  )
  if (!(error instanceof InvalidGrant)) throw error ?? new Error('it was refreshed')
}

describe.each(kinds)('in %s', (_, make) => {
  it.each(ways)(
    '%s: whichever call fails, whoever asks again until it held has taken everything back',
    async (_name, end) => {
      for (const isReplyLost of [false, true]) {
        for (let failAt = 1, isDone = false; !isDone; failAt++) {
          const faults = new Faults()
          const { families, marks } = make()
          const revoked = revocation({ store: faults.of(marks) })
          const issuer = tokenIssuer({
            issuer: ISSUER,
            audience: 'api',
            keys,
            store: faults.of(families),
            revocation: revoked,
            graceMs: 0,
          })
          const userId = `user-${users++}`
          const first = await issuer.issue({ userId })
          const second = await issuer.refresh(first.refresh_token)
          const scene = { issuer, revoked, userId, first, second }
          Object.assign(faults, { calls: 0, failAt, isReplyLost })
          let failures = 0
          for (let isOver = false; !isOver; ) {
            isOver = await end(scene).then(
              () => true,
              () => {
                failures++
                return false
              },
            )
            expect(failures).toBeLessThan(2)
          }
          isDone = failures === 0
          faults.failAt = 0
          for (const { refresh_token, access_token } of [first, second]) {
            const claims = decodeJwt(access_token) as unknown as AccessTokenClaims
            expect([failAt, await revoked.check(claims)]).toEqual([failAt, true])
            await expect(issuer.refresh(refresh_token)).rejects.toThrow(InvalidGrant)
          }
          expect(await issuer.of(userId).list()).toEqual([])
        }
      }
    },
  )
})

describe('whose clock is wrong does not matter', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each([-300_000, -3_000, 0, 3_000, 300_000])(
    'a process that is %i ms off takes back what was made before, and nothing that is made after',
    async (offMs) => {
      const revoked = revocation({ redis: redis.client })
      const issuer = tokenIssuer({
        issuer: ISSUER,
        audience: 'api',
        keys,
        redis: redis.client,
        revocation: revoked,
      })
      const userId = `shifted-${users++}`
      const claimsOf = ({ access_token }: TokenResponse): AccessTokenClaims =>
        decodeJwt(access_token) as unknown as AccessTokenClaims
      const before = [claimsOf(await issuer.issue({ userId }))]
      await delay(1_100)
      before.push(claimsOf(await issuer.issue({ userId })))
      const atMs = Date.now()
      vi.useFakeTimers({ toFake: ['Date'], now: atMs + offMs })
      await issuer.of(userId).revokeAll()
      expect(await Promise.all(before.map((claims) => revoked.check(claims)))).toEqual([true, true])
      // Another process, of another clock, revokes again: nothing comes back.
      vi.setSystemTime(atMs - 3_600_000)
      await issuer.of(userId).revokeAll()
      expect(await Promise.all(before.map((claims) => revoked.check(claims)))).toEqual([true, true])
      vi.useRealTimers()
      await delay(1_100)
      expect(await revoked.check(claimsOf(await issuer.issue({ userId })))).toBe(false)
    },
  )

  it('a provider that is ahead of the store by less than the tolerance: what it made before is taken back', async () => {
    const revoked = revocation({ redis: redis.client })
    const user = { iss: 'https://login.example/', sub: `user-${users++}` }
    const [seconds] = await redis.client.time()
    const made = {
      ...user,
      aud: 'api',
      client_id: 'c',
      jti: 'j',
      iat: Number(seconds) + 8,
      exp: Number(seconds) + 300,
    }
    await revoked.revokeUser(user)
    expect(await revoked.check(made)).toBe(true)
    expect(await revoked.check({ ...made, iat: Number(seconds) + 12 })).toBe(false)
  })

  it.each([-300_000, 300_000])(
    'the mark of one token lives as long as the token, also if who sets it is %i ms off',
    async (offMs) => {
      const revoked = revocation({ redis: redis.client })
      const [seconds] = await redis.client.time()
      const exp = Number(seconds) + 60
      const claims = {
        iss: ISSUER,
        sub: `user-${users++}`,
        aud: 'api',
        client_id: 'c',
        jti: `j${offMs}`,
        iat: exp - 60,
        exp,
      }
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs })
      await revoked.revokeToken(claims)
      vi.useRealTimers()
      expect(await revoked.check(claims)).toBe(true)
      const [key] = await redis.client.keys(`*jti*${claims.jti}*`)
      const ttl = await redis.client.pttl(key!)
      expect(ttl).toBeGreaterThan(350_000)
      expect(ttl).toBeLessThanOrEqual(361_000)
    },
  )
})
