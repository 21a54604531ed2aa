import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRedis } from '@scale/redis'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  accessToken,
  InvalidGrant,
  issuedChannel,
  redisFamilyStore,
  refreshedChannel,
  reuseChannel,
  revocation,
  signingKeys,
  type TokenIssuer,
  type TokenIssuerOptions,
  tokenIssuer,
} from '../src/index.js'
import { useRedis } from './redis.js'
import { ISSUER, NOW_MS, testKey } from './tokens.js'

const redis = useRedis()
const key = testKey('EdDSA', 'k')
let nowMs = NOW_MS
const clock = (): number => nowMs
const keys = signingKeys(key.privateJwk, { clock })

function issuerOf(changes: Partial<TokenIssuerOptions> = {}): TokenIssuer {
  const store = redisFamilyStore({ redis: redis.client, clock })
  return tokenIssuer({ issuer: ISSUER, audience: 'api', keys, store, ...changes })
}

function verifier(changes = {}) {
  return accessToken({ issuer: ISSUER, audience: 'api', algorithms: ['EdDSA'], keys, clock, ...changes })
}

describe('a pair of tokens', () => {
  it('has the form of RFC 6749 and the claims of RFC 9068', async () => {
    nowMs = NOW_MS + 400
    const signIn = { userId: 'ann', scope: ['read', 'write'], acr: 'gold', claims: { tenant: 7 } }
    const pair = await issuerOf().issue(signIn)
    expect(pair).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: expect.stringMatching(/^[\w-]{79}$/),
      scope: 'read write',
    })
    const { claims } = await verifier().verify(pair.access_token)
    const now = NOW_MS / 1_000
    expect(claims).toEqual({
      iss: ISSUER,
      sub: 'ann',
      aud: 'api',
      client_id: 'app',
      iat: now,
      exp: now + 300,
      auth_time: now,
      jti: expect.any(String),
      sid: expect.stringMatching(/^[\w-]{16}$/),
      scope: 'read write',
      acr: 'gold',
      tenant: 7,
    })
    expect(decodeProtectedHeader(pair.access_token)).toEqual({ alg: 'EdDSA', kid: 'k', typ: 'at+jwt' })
  })

  it('keeps what was granted over refreshes, and the time of the sign-in', async () => {
    nowMs = NOW_MS
    const issuer = issuerOf()
    const first = await issuer.issue({
      userId: 'bob',
      scope: ['read'],
      clientId: 'cli',
      claims: { tenant: 7 },
    })
    nowMs += 600_000
    const second = await issuer.refresh(first.refresh_token)
    const [before, after] = [decodeJwt(first.access_token), decodeJwt(second.access_token)]
    expect(after).toEqual({ ...before, iat: NOW_MS / 1_000 + 600, exp: NOW_MS / 1_000 + 900, jti: after.jti })
    expect(after.jti).not.toBe(before.jti)
    expect(second.scope).toBe('read')
  })

  it('never outlives its family', async () => {
    nowMs = NOW_MS
    const issuer = issuerOf({ idleTimeoutMs: 100_000, absoluteTimeoutMs: 100_000 })
    expect((await issuer.issue({ userId: 'carl' })).expires_in).toBe(100)
  })

  it('takes no claim that has a meaning, and no user without a name', async () => {
    const issuer = issuerOf()
    await expect(issuer.issue({ userId: 'x', claims: { sub: 'root', exp: 1 } })).rejects.toThrow(/sub, exp/)
    await expect(issuer.issue({ userId: '' })).rejects.toThrow(/`userId`/)
    await expect(issuer.issue({ userId: 'x', scope: ['a b'] })).rejects.toThrow(/`scope`/)
  })

  it('leaves nothing in Redis that opens anything', async () => {
    const issuer = issuerOf()
    const first = await issuer.issue({ userId: 'dora' })
    const second = await issuer.refresh(first.refresh_token)
    const names = await redis.client.keys('*')
    const hashes = names.filter((name) => name.includes(':family:'))
    const stored = JSON.stringify([
      names,
      await Promise.all(hashes.map((name) => redis.client.hgetall(name))),
    ])
    for (const { refresh_token, access_token } of [first, second]) {
      expect(stored).not.toContain(refresh_token.slice(20, 36))
      expect(stored).not.toContain(refresh_token.slice(36))
      expect(stored).not.toContain(access_token.split('.')[2])
    }
  })
})

describe('a refresh token', () => {
  it('that is no text of the right shape never reaches the store', async () => {
    const issuer = issuerOf({ store: {} as never })
    for (const token of [undefined, null, 1, {}, [], '', 'x', 'x'.repeat(80), `${'x'.repeat(78)} `]) {
      await expect(issuer.refresh(token)).rejects.toMatchObject({
        status: 400,
        code: 'ERR_SCALE_TOKEN_GRANT',
        extensions: { error: 'invalid_grant' },
      })
      expect(await issuer.revoke(token)).toBe(false)
    }
  })

  it('used again after its grace ends the family, and what it was is told to those who listen', async () => {
    nowMs = NOW_MS
    const messages: unknown[] = []
    const stops = [issuedChannel, refreshedChannel, reuseChannel].map((channel) =>
      channel.subscribe((message: unknown) => messages.push([channel.name, message])),
    )
    const issuer = issuerOf()
    const first = await issuer.issue({ userId: 'eve' })
    const second = await issuer.refresh(first.refresh_token)
    expect((await issuer.refresh(first.refresh_token)).refresh_token).toBe(second.refresh_token)
    nowMs += 20_000
    await expect(issuer.refresh(first.refresh_token)).rejects.toThrow(InvalidGrant)
    await expect(issuer.refresh(second.refresh_token)).rejects.toThrow(InvalidGrant)
    for (const stop of stops) stop()
    const family = { id: decodeJwt(first.access_token).sid, userId: 'eve' }
    expect(messages).toEqual([
      ['scale:auth:issued', family],
      ['scale:auth:refreshed', { ...family, repeated: false }],
      ['scale:auth:refreshed', { ...family, repeated: true }],
      ['scale:auth:reuse', family],
    ])
  })

  it('of which only the tail is guessed counts as used again, of which the name is guessed as unknown', async () => {
    const issuer = issuerOf()
    const { refresh_token } = await issuer.issue({ userId: 'fay' })
    const guess = refresh_token.slice(0, 20) + 'A'.repeat(59)
    await expect(issuer.refresh(guess)).rejects.toThrow(InvalidGrant)
    expect(await issuer.of('fay').list()).toHaveLength(1)
    const tail = refresh_token.slice(0, 36) + 'A'.repeat(43)
    await expect(issuer.refresh(tail)).rejects.toThrow(InvalidGrant)
    expect(await issuer.of('fay').list()).toHaveLength(0)
  })
})

describe('a user’s families', () => {
  it('are listed with their devices, end one by one, or all at once', async () => {
    nowMs = NOW_MS
    const issuer = issuerOf()
    const pairs = []
    for (const name of ['phone', 'laptop', 'tablet']) {
      pairs.push(
        await issuer.issue({
          userId: 'gus',
          device: { name, address: '203.0.113.7', agent: 'x'.repeat(999) },
        }),
      )
      nowMs += 1_000
    }
    const families = await issuer.of('gus').list()
    expect(families.map(({ device }) => device.name)).toEqual(['tablet', 'laptop', 'phone'])
    expect(families[0]!.device).toEqual({ name: 'tablet', address: '203.0.113.7', agent: 'x'.repeat(256) })
    expect(families[2]!.id).toBe(decodeJwt(pairs[0]!.access_token).sid)

    expect(await issuer.of('gus').revoke(families[0]!.id)).toBe(true)
    expect(await issuer.of('gus').revoke(families[0]!.id)).toBe(false)
    expect(await issuer.of('hal').revoke(families[1]!.id)).toBe(false)
    expect(await issuer.revoke(pairs[1]!.refresh_token)).toBe(true)
    expect(await issuer.of('gus').revokeAll()).toBe(1)
    for (const { refresh_token } of pairs)
      await expect(issuer.refresh(refresh_token)).rejects.toThrow(InvalidGrant)
  })

  it('take their access tokens along, with a revocation', async () => {
    nowMs = NOW_MS
    const revoked = revocation({ redis: redis.client, clock })
    const issuer = issuerOf({ revocation: revoked })
    const { verify } = verifier({ revocation: revoked })
    const outcome = (token: string): Promise<string> =>
      verify(token).then(
        () => 'accepted',
        (error: { reason: string }) => error.reason,
      )
    const [one, two, three, other] = await Promise.all(
      ['ida', 'ida', 'ida', 'jon'].map((userId) => issuer.issue({ userId })),
    )
    await issuer.revoke(one!.refresh_token)
    expect(await Promise.all([one, two, other].map((pair) => outcome(pair!.access_token)))).toEqual([
      'revoked',
      'accepted',
      'accepted',
    ])
    const next = await issuer.refresh(two!.refresh_token)
    nowMs += 20_000
    await expect(issuer.refresh(two!.refresh_token)).rejects.toThrow(InvalidGrant)
    expect(await outcome(next.access_token)).toBe('revoked')
    expect(await outcome(three!.access_token)).toBe('accepted')
    await issuer.of('ida').revokeAll()
    expect(await outcome(three!.access_token)).toBe('revoked')
    expect(await outcome(other!.access_token)).toBe('accepted')
    nowMs += 1_000
    expect(await outcome((await issuer.issue({ userId: 'ida' })).access_token)).toBe('accepted')
  })
})

describe('options', () => {
  it('that do not fit together are refused', () => {
    expect(() => issuerOf({ idleTimeoutMs: 2_000, absoluteTimeoutMs: 1_000 })).toThrow(/must not be above/)
    expect(() => issuerOf({ accessTtlMs: 3_600_001 })).toThrow(/outlive their key/)
    expect(() =>
      issuerOf({ accessTtlMs: 60_000, revocation: revocation({ maxTokenLifeMs: 1_000 }) }),
    ).toThrow(/maxTokenLifeMs/)
    expect(() => issuerOf({ redis: redis.client })).toThrow(/not both/)
    expect(() => issuerOf({ keys: {} as never })).toThrow(/signingKeys/)
  })
})

describe('50 refreshes of one token at once, over two processes', () => {
  let children: ChildProcess[]
  beforeAll(async () => {
    const file = fileURLToPath(new URL('refresher.ts', import.meta.url))
    const args = [redis.server.url, JSON.stringify(key.privateJwk)]
    const execArgv = ['--conditions=@scale/source', '--import', 'tsx']
    children = [1, 2].map(() => fork(file, args, { execArgv }))
    await Promise.all(children.map((child) => once(child, 'message')))
  })
  afterAll(async () => {
    for (const child of children ?? []) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  const refreshEverywhere = async (token: string): Promise<string[]> => {
    const answers = children.map((child) => once(child, 'message') as Promise<[string[]]>)
    for (const child of children) child.send({ token, count: 25 })
    return (await Promise.all(answers)).flatMap(([some]) => some)
  }

  it('one family, one successor, nobody logged out; ten times over', async () => {
    // By the server's own clock, as the children.
    const issuer = tokenIssuer({ issuer: ISSUER, audience: 'api', keys, redis: redis.client })
    let { refresh_token: token } = await issuer.issue({ userId: 'race' })
    for (let round = 0; round < 10; round++) {
      const answers = await refreshEverywhere(token)
      expect(answers).toHaveLength(50)
      expect(new Set(answers).size).toBe(1)
      expect(answers[0]).toMatch(/^[\w-]{79}$/)
      expect(answers[0]).not.toBe(token)
      token = answers[0]!
    }
    expect(await issuer.of('race').list()).toHaveLength(1)
  })
})

describe('when Redis is away', () => {
  it('nothing is granted: 503, and a lost answer is repeated when it is back', async () => {
    const client = createRedis(redis.server.url, { guard: { deadlineMs: 200 } })
    await new Promise((resolve) => client.once('ready', resolve))
    const issuer = tokenIssuer({ issuer: ISSUER, audience: 'api', keys, redis: client })
    const { refresh_token } = await issuer.issue({ userId: 'kim' })
    redis.server.pause()
    await expect(issuer.refresh(refresh_token)).rejects.toMatchObject({ status: 503 })
    await expect(issuer.issue({ userId: 'kim' })).rejects.toMatchObject({ status: 503 })
    redis.server.resume()
    // The exchange that nobody was told of has happened; the same successor comes again.
    await expect
      .poll(() => issuer.refresh(refresh_token).catch(() => 'not yet'), { timeout: 5_000 })
      .toHaveProperty('refresh_token')
    const next = await issuer.refresh(refresh_token)
    await issuer.refresh(next.refresh_token)
    client.disconnect()
  })
})
