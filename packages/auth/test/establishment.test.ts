import { compose } from '@scale/core'
import express from 'express'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type AccessTokenOptions,
  accessToken,
  type Jwk,
  type KeySet,
  localKeys,
  memoryRevocationStore,
  remoteKeys,
  revocation,
  VerificationBusy,
} from '../src/index.js'
import { Remembered } from '../src/verification/remembered.js'
import { listen } from './app.js'
import { startProvider } from './keys/provider.js'
import { type Changes, key, mint, NOW, NOW_MS, options, part, testKey } from './tokens.js'

/** Keys of which the test says which there are. */
class ChangingKeys implements KeySet {
  current: KeySet
  asked = 0

  constructor(...keys: Jwk[]) {
    this.current = localKeys(keys)
  }

  find(...args: Parameters<KeySet['find']>): ReturnType<KeySet['find']> {
    this.asked++
    return this.current.find(...args)
  }
}

type Tokens = ReturnType<typeof accessToken>

/** `accepted`, or why not; and whether that was known in the same turn. */
async function presented(
  tokens: Tokens,
  token: string,
): Promise<[outcome: string, when: 'at once' | 'later']> {
  const req = {
    headers: { authorization: `Bearer ${token}` },
    rawHeaders: ['Authorization', `Bearer ${token}`],
  }
  let when: 'at once' | 'later' = 'at once'
  const done = new Promise<string>((resolve) => {
    tokens(req as never, {} as never, (error?: unknown) => {
      resolve(error === undefined ? 'accepted' : ((error as { reason?: string }).reason ?? String(error)))
    })
  })
  const first = await Promise.race([done, Promise.resolve('pending')])
  if (first === 'pending') when = 'later'
  return [await done, when]
}

/** A token with claims of its own. */
let number = 0
const another = (changes: Changes = {}): Promise<string> =>
  mint({ ...changes, claims: { jti: `t${number++}`, ...changes.claims } })

describe('a token that was seen before', () => {
  it('is let in at once, and each part of it still counts', async () => {
    const tokens = accessToken(options())
    const token = await another()
    expect(await presented(tokens, token)).toEqual(['accepted', 'later'])
    expect(await presented(tokens, token)).toEqual(['accepted', 'at once'])
    const [head, claims, signature] = token.split('.') as [string, string, string]
    const stranger = await another()
    for (const changed of [
      `${head}.${claims}.${stranger.split('.')[2]}`,
      `${head}.${stranger.split('.')[1]}.${signature}`,
      `${part({ alg: 'ES256', kid: 'k1', typ: 'at+jwt', x: 1 })}.${claims}.${signature}`,
      `${head}.${claims}.${signature}=`,
    ]) {
      expect((await presented(tokens, changed))[0]).not.toBe('accepted')
    }
  })

  it('is refused when its time is over, or not yet there again', async () => {
    let nowMs = NOW_MS
    const tokens = accessToken(options({ clock: () => nowMs }))
    const token = await another({ claims: { nbf: NOW - 5, exp: NOW + 60 } })
    await presented(tokens, token)
    for (const [ms, outcome] of [
      [69_999, 'accepted'],
      [70_000, 'expired'],
      [-15_001, 'early'],
      [0, 'accepted'],
    ] as const) {
      nowMs = NOW_MS + ms
      expect(await presented(tokens, token)).toEqual([outcome, 'at once'])
    }
  })

  it('is refused from the moment on at which its key is gone, or is another one of the same name', async () => {
    const keys = new ChangingKeys(key.jwk)
    const tokens = accessToken(options({ keys }))
    const token = await another()
    await presented(tokens, token)
    const other = testKey('ES256', 'k1')
    for (const [current, outcome] of [
      [localKeys(other.jwk), 'signature'],
      [localKeys({ ...key.jwk, kid: 'k2' }), 'key'],
      [localKeys(key.jwk), 'accepted'],
    ] as const) {
      keys.current = current
      expect((await presented(tokens, token))[0]).toBe(outcome)
    }
  })

  it('is refused when the keys cannot be had any more', async () => {
    const keys = new ChangingKeys(key.jwk)
    const tokens = accessToken(options({ keys }))
    const token = await another()
    await presented(tokens, token)
    keys.current = { find: () => Promise.reject(new Error('away')) }
    expect((await presented(tokens, token))[0]).toContain('away')
    keys.current = { find: async () => undefined }
    expect((await presented(tokens, token))[0]).toBe('key')
  })

  it('is asked about at each request: revocation, and the schema', async () => {
    const store = memoryRevocationStore({ clock: () => NOW_MS })
    const revoked = revocation({ store })
    let wanted = 'user-1'
    const claims = z.object({ sub: z.string().refine((sub) => sub === wanted), jti: z.string() })
    const tokens = accessToken(options({ revocation: revoked, claims } as Partial<AccessTokenOptions>))
    const token = await another()
    await presented(tokens, token)
    expect(await presented(tokens, token)).toEqual(['accepted', 'at once'])
    wanted = 'user-2'
    expect((await presented(tokens, token))[0]).toBe('claims')
    wanted = 'user-1'
    const { verified } = await tokens.verify(token)
    await revoked.revokeToken(verified)
    expect(await presented(tokens, token)).toEqual(['revoked', 'at once'])
  })

  it('gives each request claims that no other request can have changed', async () => {
    const tokens = accessToken(options())
    const token = await another({ claims: { roles: ['a'], deep: { er: { x: 1 } } } })
    const first = await tokens.verify(token)
    const { deep, roles } = first.claims as unknown as { deep: { er: { x: number } }; roles: string[] }
    expect(() => {
      deep.er.x = 2
    }).toThrow(TypeError)
    expect(() => roles.push('admin')).toThrow(TypeError)
    expect(() => Object.assign(first.claims, { sub: 'root' })).toThrow(TypeError)
    ;(first.scopes as Set<string>).add('admin')
    const second = await tokens.verify(token)
    expect([...second.scopes]).toEqual(['read', 'write'])
    expect(second.claims).toMatchObject({ roles: ['a'], deep: { er: { x: 1 } }, sub: 'user-1' })
  })

  it('that is nested as deeply as fits is no trouble', async () => {
    const depth = 2_500
    const payload = JSON.stringify({ sub: 'x' }).replace(
      '}',
      `,"d":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    )
    expect((await presented(accessToken(options()), await mint({ payload })))[0]).toBe('issuer')
    const good = JSON.stringify({
      ...(JSON.parse(Buffer.from((await mint()).split('.')[1]!, 'base64url').toString()) as object),
    }).replace(/}$/, `,"d":${'['.repeat(depth)}${']'.repeat(depth)}}`)
    expect((await presented(accessToken(options()), await mint({ payload: good })))[0]).toBe('accepted')
  })

  it('is verified each time where none are to be remembered', async () => {
    const tokens = accessToken(options({ maxRememberedTokens: 0 }))
    const token = await another()
    for (let i = 0; i < 3; i++) expect(await presented(tokens, token)).toEqual(['accepted', 'later'])
  })

  it('by many requests at once is verified once', async () => {
    const keys = new ChangingKeys(key.jwk)
    const tokens = accessToken(options({ keys }))
    const token = await another()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => presented(tokens, token)))
    expect(outcomes.map(([outcome]) => outcome)).toEqual(outcomes.map(() => 'accepted'))
    expect(keys.asked).toBe(1)
  })

  it('stays so when a provider is asked again and has the same key, and not when it has another', async () => {
    const provider = await startProvider([key.jwk])
    let nowMs = 0
    const keys = remoteKeys(provider.url, { allowHttp: true, clock: () => nowMs })
    await keys.ready()
    const tokens = accessToken(options({ keys }))
    const token = await another()
    await presented(tokens, token)
    const refreshed = async (): Promise<void> => {
      const before = provider.requests
      nowMs += 300_000
      await presented(tokens, token)
      await expect.poll(() => provider.requests).toBe(before + 1)
      // The next fetch would be the one after: this one has been read when an unknown name is answered.
      await presented(tokens, await another({ header: { kid: 'x' } }))
    }
    await refreshed()
    expect(await presented(tokens, token)).toEqual(['accepted', 'at once'])
    provider.keys = [testKey('ES256', 'k1').jwk]
    await refreshed()
    expect((await presented(tokens, token))[0]).toBe('signature')
    await provider.close()
  })
})

describe('forgeries', () => {
  it('push out nothing, however many there are', async () => {
    const tokens = accessToken(options({ maxRememberedTokens: 10 }))
    const good = await Promise.all(Array.from({ length: 5 }, () => another()))
    for (const token of good) await presented(tokens, token)
    const [head, claims] = good[0]!.split('.') as [string, string]
    for (let i = 0; i < 2_000; i++) {
      const signature = Buffer.alloc(64, 1)
      signature.writeUInt32BE(i, 4)
      const outcome = await presented(tokens, `${head}.${claims}.${signature.toString('base64url')}`)
      expect(outcome[0]).toBe('signature')
    }
    for (const token of good) expect(await presented(tokens, token)).toEqual(['accepted', 'at once'])
  })

  it('that come too many at once are turned away (503), and tokens that were seen before are not', async () => {
    const tokens = accessToken(options())
    const seen = await another()
    await presented(tokens, seen)
    const [head, claims] = seen.split('.') as [string, string]
    const flood = Array.from({ length: 3_000 }, (_, i) => {
      const signature = Buffer.alloc(64, 1)
      signature.writeUInt32BE(i, 4)
      return tokens
        .verify(`${head}.${claims}.${signature.toString('base64url')}`)
        .catch((error: unknown) => error)
    })
    await Promise.resolve()
    expect(await presented(tokens, seen)).toEqual(['accepted', 'at once'])
    const errors = await Promise.all(flood)
    const busy = errors.filter((error) => error instanceof VerificationBusy)
    expect(busy.length).toBe(3_000 - 1_024 - 8)
    expect(busy[0]).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } })
    // It is over when it is over.
    expect((await presented(tokens, await another()))[0]).toBe('accepted')
  })

  it('in `compose` ask nothing of the store of revocations', async () => {
    const store = memoryRevocationStore({ clock: () => NOW_MS })
    let asked = 0
    const counting = {
      ...store,
      get: (...args: Parameters<typeof store.get>) => {
        asked++
        return store.get(...args)
      },
    }
    const tokens = accessToken(options({ revocation: revocation({ store: counting }) }))
    const app = await listen(express().get('/', compose(tokens), (_req, res) => void res.sendStatus(204)))
    const good = await another()
    const [head, claims] = good.split('.') as [string, string]
    for (let i = 0; i < 50; i++) {
      const forged = `${head}.${claims}.${Buffer.alloc(64, i + 1).toString('base64url')}`
      expect((await app.send('GET', '/', { authorization: `Bearer ${forged}` })).status).toBe(401)
    }
    expect(asked).toBe(0)
    for (let i = 0; i < 2; i++) {
      expect((await app.send('GET', '/', { authorization: `Bearer ${good}` })).status).toBe(204)
    }
    expect(asked).toBe(2)
    await app.close()
  })
})

describe('Remembered', () => {
  it('has at most so many, of which it never loses one of the half that was used last', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.tuple(fc.constantFrom('get', 'set', 'delete'), fc.integer({ min: 0, max: 15 })), {
          maxLength: 200,
        }),
        (max, actions) => {
          const remembered = new Remembered<number>(max)
          /** The last used at the end. */
          let used: number[] = []
          const last = new Map<number, number>()
          for (const [index, [action, name]] of actions.entries()) {
            const known = remembered.get(String(name))
            if (known !== undefined) expect(known).toBe(last.get(name))
            if (used.slice(-Math.floor(max / 2)).includes(name) && max > 1) expect(known).toBe(last.get(name))
            used = used.filter((one) => one !== name)
            if (action === 'set') {
              remembered.set(String(name), index)
              last.set(name, index)
              used.push(name)
            } else if (action === 'delete') {
              remembered.delete(String(name))
              last.delete(name)
            } else if (known !== undefined) used.push(name)
          }
          const there = Array.from({ length: 16 }, (_, name) => name).filter((name) => last.has(name))
          let count = 0
          for (const name of there) if (remembered.get(String(name)) !== undefined) count++
          expect(count).toBeLessThanOrEqual(max + 1)
        },
      ),
    )
  })
})
