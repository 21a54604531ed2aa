import { compose } from '@scale/core'
import { createRedis, operationChannel, whenReady } from '@scale/redis'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  accessToken,
  type Revocation,
  type RevocationOptions,
  revocation,
  revocationFailureChannel,
} from '../src/index.js'
import { listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'
import { type Changes, goodClaims, mint, NOW, NOW_MS, options } from './tokens.js'

const redis = useRedis()
let nowMs = NOW_MS
const clock = (): number => nowMs

async function outcome(revoked: Revocation, changes: Changes = {}): Promise<string> {
  return accessToken(options({ revocation: revoked, clock }))
    .verify(await mint(changes))
    .then(
      () => 'accepted',
      (error: { reason?: string; code: string }) => error.reason ?? error.code,
    )
}

const claims = goodClaims() as { iss: string; sub: string; jti: string; exp: number }

describe.each([
  ['memory', (): RevocationOptions => ({ clock })],
  ['Redis', (): RevocationOptions => ({ redis: redis.client, clock })],
])('in %s', (_, make) => {
  let prefix = 0
  const fresh = (changes: RevocationOptions = {}): Revocation => {
    nowMs = NOW_MS
    const given = make()
    return revocation({
      ...given,
      ...(given.redis === undefined ? {} : { prefix: `r${prefix++}` }),
      ...changes,
    })
  }

  it('one token', async () => {
    const revoked = fresh()
    expect(await outcome(revoked)).toBe('accepted')
    await revoked.revokeToken(claims)
    expect(await outcome(revoked)).toBe('revoked')
    expect(await outcome(revoked, { claims: { jti: 'token-2' } })).toBe('accepted')
    expect(await outcome(revoked, { claims: { sub: 'user-2' } })).toBe('accepted')
  })

  it('one family', async () => {
    const revoked = fresh()
    await revoked.revokeFamily({ ...claims, sid: 's1' })
    expect(await outcome(revoked, { claims: { sid: 's1' } })).toBe('revoked')
    expect(await outcome(revoked, { claims: { sid: 's2' } })).toBe('accepted')
    expect(await outcome(revoked)).toBe('accepted')
  })

  it('all tokens of a user up to now and by how much clocks may be apart, and none that are made later', async () => {
    const revoked = fresh()
    await revoked.revokeUser(claims)
    expect(await outcome(revoked)).toBe('revoked')
    expect(await outcome(revoked, { claims: { iat: NOW + 10 } })).toBe('revoked')
    expect(await outcome(revoked, { claims: { sub: 'user-2' } })).toBe('accepted')
    nowMs += 11_000
    expect(await outcome(revoked, { claims: { iat: NOW + 11 } })).toBe('accepted')
  })

  it('all tokens of a user up to an instant, by the clock of who made them', async () => {
    const revoked = fresh()
    await revoked.revokeUser(claims, { at: NOW_MS + 500 })
    expect(await outcome(revoked, { claims: { iat: NOW } })).toBe('revoked')
    expect(await outcome(revoked, { claims: { iat: NOW + 1 } })).toBe('accepted')
  })

  it('nothing that was revoked comes back by a second revocation, whose clock is behind', async () => {
    const revoked = fresh({ clockToleranceMs: 0 })
    await revoked.revokeUser(claims)
    nowMs -= 3_600_000
    await revoked.revokeUser(claims)
    await revoked.revokeUser(claims, { at: 1 })
    nowMs = NOW_MS
    expect(await outcome(revoked, { claims: { iat: NOW } })).toBe('revoked')
    expect(await outcome(revoked, { claims: { iat: NOW + 1 } })).toBe('accepted')
  })

  it('a token that would outlive its revocation is refused', async () => {
    const revoked = fresh({ maxTokenLifeMs: 300_000 })
    expect(await outcome(revoked, { claims: { iat: NOW, exp: NOW + 300 } })).toBe('accepted')
    expect(await outcome(revoked, { claims: { iat: NOW, exp: NOW + 301 } })).toBe('claims')
  })

  it('names that are the same for another issuer are another’s', async () => {
    const revoked = fresh()
    await revoked.revokeUser({ iss: 'https://other.example', sub: claims.sub })
    expect(await outcome(revoked)).toBe('accepted')
  })
})

describe('in a request', () => {
  let app: RunningApp
  let revoked: Revocation
  const commands: string[] = []
  const stop = operationChannel.subscribe(({ operation }) => commands.push(operation))

  beforeAll(async () => {
    nowMs = NOW_MS
    revoked = revocation({ redis: redis.client, prefix: 'request', clock })
    const tokens = accessToken(options({ revocation: revoked, clock }))
    const web = express()
    web.get('/plain', tokens, (_req, res) => res.json({}))
    web.get('/composed', compose(tokens), (_req, res) => res.json({}))
    app = await listen(web)
  })
  afterAll(async () => {
    stop()
    await app?.close()
  })

  it.each(['/plain', '/composed'])(
    '%s costs one command, and none for a token that is refused before',
    async (path) => {
      const send = async (changes: Changes): Promise<[number, string[]]> => {
        commands.length = 0
        const { status } = await app.send('GET', path, { authorization: `Bearer ${await mint(changes)}` })
        return [status, [...commands]]
      }
      expect(await send({ claims: { sid: 's' } })).toEqual([200, ['mget']])
      expect(await send({ claims: { iss: 'x' } })).toEqual([401, []])
      expect(await send({ header: { typ: 'JWT' } })).toEqual([401, []])
      await revoked.revokeToken({ ...claims, jti: 'gone' })
      expect(await send({ claims: { jti: 'gone' } })).toEqual([401, ['mget']])
      commands.length = 0
      expect((await app.send('GET', path)).status).toBe(401)
      expect(commands).toEqual([])
    },
  )

  it('nothing that a token says of itself before it is verified can break the check', async () => {
    for (const value of [null, 1, {}, ['a'], '', 'x'.repeat(3_000), '}{', '\ud800']) {
      for (const name of ['sub', 'jti', 'sid']) {
        const authorization = `Bearer ${await mint({ claims: { [name]: value } })}`
        const statuses = await Promise.all(
          ['/plain', '/composed'].map(
            async (path) => (await app.send('GET', path, { authorization })).status,
          ),
        )
        expect(statuses[0]).toBe(statuses[1])
        expect([200, 401]).toContain(statuses[0])
      }
    }
  })
})

describe('when Redis is away', () => {
  it('rejects (503) unless it was told to accept, says so on a channel, and heals', async () => {
    nowMs = NOW_MS
    const client = createRedis(redis.server.url, { guard: { deadlineMs: 150 } })
    await whenReady(client, 5_000)
    const strict = revocation({ redis: client, clock })
    const lenient = revocation({ redis: client, clock, onStoreError: 'accept' })
    expect([await outcome(strict), await outcome(lenient)]).toEqual(['accepted', 'accepted'])
    const decisions: string[] = []
    const stop = revocationFailureChannel.subscribe(({ decision }) => decisions.push(decision))
    redis.server.pause()
    expect([await outcome(strict), await outcome(lenient)]).toEqual(['timeout', 'accepted'])
    await expect(strict.revokeToken(claims)).rejects.toMatchObject({ status: 503 })
    await expect(lenient.revokeToken(claims)).rejects.toMatchObject({ status: 503 })
    redis.server.resume()
    stop()
    expect(decisions).toEqual(['reject', 'accept'])
    await expect
      .poll(() => outcome(strict, { claims: { jti: 'other' } }), { timeout: 5_000 })
      .toBe('accepted')
    client.disconnect()
  })
})
