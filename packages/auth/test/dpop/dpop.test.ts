import { generateKeyPairSync, hash } from 'node:crypto'
import { request } from 'node:http'
import { compose } from '@scale/core'
import express from 'express'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  accessToken,
  type DpopOptions,
  dpop,
  type ReplayStore,
  refusedChannel,
  replayFailureChannel,
  requireScope,
} from '../../src/index.js'
import { type Answer, expressVersions, listen, type RunningApp } from '../app.js'
import { mint, NOW, NOW_MS, options, part, testKey } from '../tokens.js'
import {
  BASE_URL,
  bound,
  clientKey,
  clientThumbprint,
  type ProofChanges,
  prove,
  publicPart,
  thumbprintOf,
} from './proofs.js'

const SECRET = 'a secret of thirty-two characters'
let nowMs = NOW_MS
const clock = (): number => nowMs

function proofs(changes: DpopOptions = {}): ReturnType<typeof dpop> {
  return dpop({ clock, ...changes })
}

const show: express.RequestHandler = (req, res) => {
  res.json({ user: req.auth?.claims.sub, thumbprint: req.auth?.thumbprint })
}

function appOf(make: () => express.Express): express.Express {
  const app = make()
  const required = accessToken(options({ clock, dpop: proofs() }))
  app.all('/orders', required, show)
  app.get('/accepted', accessToken(options({ clock, dpop: proofs({ mode: 'accepted' }) })), show)
  app.get('/bearer', accessToken(options({ clock })), show)
  app.get('/scoped', required, requireScope('admin'), show)
  app.get(
    '/mixed',
    accessToken(options({ clock, dpop: proofs({ mode: 'accepted' }) })),
    requireScope('admin'),
    show,
  )
  app.get('/optional', accessToken(options({ clock, dpop: proofs(), optional: true })), show)
  app.get('/nonce', accessToken(options({ clock, dpop: proofs({ nonceSecrets: [SECRET] }) })), show)
  app.get('/composed', compose(required, requireScope('read')), show)
  const both = proofs()
  app.use('/twice', accessToken(options({ clock, dpop: both })))
  app.get('/twice', accessToken(options({ clock, dpop: both })), show)
  return app
}

describe.each(expressVersions)('%s', (_, make) => {
  let app: RunningApp
  beforeAll(async () => {
    app = await listen(appOf(make))
  })
  afterAll(() => app?.close())

  /** With a proof for the path, unless it says something else. */
  async function send(
    path: string,
    { token = bound, ...changes }: ProofChanges = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const htu = `${app.url}${path}`
    const proof = await prove({ token, ...changes, claims: { htu, ...changes.claims } })
    return app.send('GET', path, { authorization: `DPoP ${token}`, dpop: proof, ...headers })
  }
  const reasonOf = ({ headers }: Answer): string | undefined =>
    /error="([a-z_]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
  /** As an independent client reads them. */
  async function challenges({ status, headers }: Answer): Promise<readonly oauth.WWWAuthenticateChallenge[]> {
    const failure: unknown = await oauth
      .protectedResourceRequest('token', 'GET', new URL('https://api.example'), undefined, null, {
        [oauth.customFetch]: async () => new Response(null, { status, headers }),
      })
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
    return (failure as oauth.WWWAuthenticateChallengeError).cause
  }

  it('lets a token pass with a proof of its key, which the app is told', async () => {
    const { status, body } = await send('/orders')
    expect([status, body]).toEqual([200, { user: 'user-1', thumbprint: clientThumbprint }])
    const lower = await send('/orders', {}, { authorization: `dpop ${bound}` })
    expect(lower.status).toBe(200)
    expect((await send('/composed')).status).toBe(200)
  })

  it('lets no proof pass twice; one request that meets the middleware twice uses it once', async () => {
    const claims = { jti: 'once' }
    expect((await send('/orders', { claims })).status).toBe(200)
    const again = await send('/orders', { claims })
    expect([again.status, reasonOf(again)]).toEqual([401, 'invalid_dpop_proof'])
    expect(again.body).toMatchObject({
      code: 'ERR_SCALE_DPOP_PROOF',
      message: 'The DPoP proof was used before.',
    })
    expect((await send('/twice')).status).toBe(200)
  })

  it('refuses a bound token that comes as a bearer token, also where nobody asks for proofs', async () => {
    for (const path of ['/orders', '/accepted', '/bearer', '/optional']) {
      const answer = await app.send('GET', path, { authorization: `Bearer ${bound}` })
      expect([answer.status, reasonOf(answer)]).toEqual([401, 'invalid_token'])
    }
    const withProof = await send('/bearer', {}, { authorization: `Bearer ${bound}` })
    expect(withProof.status).toBe(401)
  })

  it('refuses a token that is bound to nothing, unless such are accepted', async () => {
    const token = await mint()
    for (const path of ['/orders', '/accepted']) {
      const answer = await send(path, { token })
      expect([answer.status, reasonOf(answer)]).toEqual([401, 'invalid_token'])
    }
    const statuses = ['/orders', '/accepted', '/bearer'].map(
      async (path) => (await app.send('GET', path, { authorization: `Bearer ${token}` })).status,
    )
    expect(await Promise.all(statuses)).toEqual([401, 200, 200])
  })

  it('does not know the scheme where nobody asks for proofs', async () => {
    const answer = await send('/bearer')
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })

  it('refuses a confirmation that it cannot check, such as by a certificate', async () => {
    for (const cnf of [{ 'x5t#S256': 'a'.repeat(43) }, {}, 'x', null, [], { jkt: 1 }, { jkt: 'short' }]) {
      const token = await mint({ claims: { cnf } })
      for (const authorization of [`Bearer ${token}`, `DPoP ${token}`]) {
        const answer = await send('/accepted', { token }, { authorization })
        expect([answer.status, reasonOf(answer)]).toEqual([401, 'invalid_token'])
      }
    }
  })

  it('says which schemes it takes, so that an independent client can read it', async () => {
    const algs = 'ES256 EdDSA Ed25519 PS256 RS256'
    const none = await app.send('GET', '/orders')
    expect(await challenges(none)).toEqual([{ scheme: 'dpop', parameters: { algs } }])
    const accepted = await app.send('GET', '/accepted')
    expect(await challenges(accepted)).toEqual([
      { scheme: 'bearer', parameters: {} },
      { scheme: 'dpop', parameters: { algs } },
    ])
    // What went wrong is said to the scheme by which it went wrong.
    const forged = await send('/accepted', { claims: { htm: 'POST' } })
    expect(await challenges(forged)).toEqual([
      { scheme: 'bearer', parameters: {} },
      {
        scheme: 'dpop',
        parameters: {
          error: 'invalid_dpop_proof',
          error_description: 'The DPoP proof is for another method',
          algs,
        },
      },
    ])
    const expired = await mint({ claims: { exp: NOW - 100, cnf: { jkt: clientThumbprint } } })
    expect((await challenges(await send('/accepted', { token: expired })))[1]).toMatchObject({
      scheme: 'dpop',
      parameters: { error: 'invalid_token', algs },
    })
    const bearer = await app.send('GET', '/accepted', { authorization: 'Bearer x' })
    expect((await challenges(bearer))[0]).toMatchObject({
      scheme: 'bearer',
      parameters: { error: 'invalid_token' },
    })
    for (const path of ['/scoped', '/mixed']) {
      const scope = await send(path)
      expect(scope.status).toBe(403)
      expect((await challenges(scope)).at(-1)).toEqual({
        scheme: 'dpop',
        parameters: { error: 'insufficient_scope', scope: 'admin', algs },
      })
    }
    expect((await app.send('GET', '/optional')).status).toBe(200)
  })

  it('refuses two DPoP headers, and none', async () => {
    const [one, two] = await Promise.all([prove({ claims: { htu: `${app.url}/orders` } }), prove()])
    const { port } = new URL(app.url)
    for (const dpopHeader of [[one, two], [one, one], []]) {
      const headers = { authorization: `DPoP ${bound}`, ...(dpopHeader.length > 0 && { dpop: dpopHeader }) }
      const status = await new Promise((resolve) => {
        request({ port, path: '/orders', headers }, (res) => resolve(res.resume().statusCode)).end()
      })
      expect(status).toBe(401)
    }
  })

  it('gives a client that is independent of it what it needs, nonces too', async () => {
    const keyPair = await oauth.generateKeyPair('ES256')
    const handle = oauth.DPoP({}, keyPair, {
      [oauth.modifyAssertion]: (_head, claims) => (claims.iat = NOW),
    })
    const token = await mint({ claims: { cnf: { jkt: await handle.calculateThumbprint() } } })
    const ask = (path: string): Promise<Response> =>
      oauth.protectedResourceRequest(token, 'GET', new URL(app.url + path), undefined, undefined, {
        DPoP: handle,
        [oauth.allowInsecureRequests]: true,
      })
    expect((await ask('/orders')).status).toBe(200)
    const problem = await ask('/nonce').then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(oauth.isDPoPNonceError(problem)).toBe(true)
    expect((await ask('/nonce')).status).toBe(200)
    expect((await ask('/nonce')).status).toBe(200)
  })

  it('changes nonces before the old one ends, and takes the old one meanwhile', async () => {
    nowMs = NOW_MS
    const first = await send('/nonce')
    const old = first.headers.get('dpop-nonce')!
    expect([first.status, reasonOf(first), first.headers.get('cache-control')]).toEqual([
      401,
      'use_dpop_nonce',
      'no-store',
    ])
    // Whatever the clock of the client says.
    const fresh = await send('/nonce', { claims: { nonce: old, iat: 1 } })
    expect([fresh.status, fresh.headers.get('dpop-nonce')]).toEqual([200, null])
    nowMs += 150_000
    const aging = await send('/nonce', { claims: { nonce: old } })
    expect(aging.status).toBe(200)
    expect(aging.headers.get('dpop-nonce')).not.toBe(old)
    nowMs += 150_000
    const over = await send('/nonce', { claims: { nonce: old } })
    expect([over.status, reasonOf(over)]).toEqual([401, 'use_dpop_nonce'])
    nowMs = NOW_MS
  })
})

/** What `confirm` says of a proof for `URL_OF_API`. */
async function judged(proof: string | undefined, changes: DpopOptions = {}, method = 'GET'): Promise<string> {
  const confirming = proofs({ baseUrl: BASE_URL, ...changes })
  const req = { method, url: '/orders', headers: proof === undefined ? {} : { dpop: proof } }
  const outcome = await confirming.confirm(req as never, bound, clientThumbprint)
  return outcome.kind === 'good' ? 'good' : outcome.reason
}

describe('a proof that breaks exactly one rule', () => {
  const rsa = testKey('RS256')
  const small = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  const secret = { kty: 'oct', k: 'a'.repeat(43) }
  const other = testKey('ES256', 'other')
  const slow = { ...publicPart(rsa), e: Buffer.alloc(64, 0xff).toString('base64url') }
  const cases: [name: string, changes: ProofChanges, reason: string][] = [
    ['of another type', { header: { typ: 'JWT' } }, 'proof-header'],
    ['of the type in another spelling', { header: { typ: 'DPOP+JWT' } }, 'proof-header'],
    ['of no type', { header: { typ: undefined } }, 'proof-header'],
    ['with an extension', { header: { crit: ['ext'], ext: 1 } }, 'proof-header'],
    ['with an address of a key', { header: { jku: 'https://evil.example' } }, 'proof-header'],
    ['without a key', { header: { jwk: undefined } }, 'proof-key'],
    ['with a key that is none', { header: { jwk: 'x' } }, 'proof-key'],
    ['with a private key', { header: { jwk: { ...publicPart(clientKey), d: 'AAAA' } } }, 'proof-key'],
    ['with a secret', { header: { jwk: secret } }, 'proof-key'],
    ['with a key of another curve', { header: { jwk: publicPart(testKey('ES384')) } }, 'proof-key'],
    ['with a key off its curve', { header: { jwk: { ...publicPart(clientKey), y: 'AAAA' } } }, 'proof-key'],
    [
      'with a small key',
      { header: { alg: 'RS256', jwk: small.publicKey.export({ format: 'jwk' }) }, key: rsa },
      'proof-key',
    ],
    ['with a key that takes long', { header: { jwk: slow }, key: rsa }, 'proof-key'],
    ['signed by another key', { header: { jwk: publicPart(other) } }, 'proof-signature'],
    ['of another key than the token', { key: other }, 'proof-token'],
    ['without a jti', { claims: { jti: undefined } }, 'proof-claims'],
    ['with a jti that is no text', { claims: { jti: 1 } }, 'proof-claims'],
    ['with an empty jti', { claims: { jti: '' } }, 'proof-claims'],
    ['with a jti without end', { claims: { jti: 'x'.repeat(4_097) } }, 'proof-claims'],
    ['without a time', { claims: { iat: undefined } }, 'proof-claims'],
    ['with a time that is none', { claims: { iat: '1' } }, 'proof-claims'],
    ['without a hash of the token', { claims: { ath: undefined } }, 'proof-claims'],
    ['for another token', { claims: { ath: hash('sha256', 'other', 'base64url') } }, 'proof-token'],
    ['for another method', { claims: { htm: 'POST' } }, 'proof-method'],
    ['for the method in another case', { claims: { htm: 'get' } }, 'proof-method'],
    ['for another path', { claims: { htu: 'http://api.example/orders/1' } }, 'proof-url'],
    ['for another case of the path', { claims: { htu: 'http://api.example/Orders' } }, 'proof-url'],
    ['for another host', { claims: { htu: 'http://evil.example/orders' } }, 'proof-url'],
    ['for another port', { claims: { htu: 'http://api.example:81/orders' } }, 'proof-url'],
    ['for another scheme', { claims: { htu: 'https://api.example/orders' } }, 'proof-url'],
    ['for a path alone', { claims: { htu: '/orders' } }, 'proof-url'],
    ['with a user in the address', { claims: { htu: 'http://u@api.example/orders' } }, 'proof-url'],
    ['that is too old', { claims: { iat: NOW - 71 } }, 'proof-age'],
    ['from the future', { claims: { iat: NOW + 11 } }, 'proof-age'],
  ]
  it.each(cases)('%s', async (_, changes, reason) => {
    expect(await judged(await prove(changes))).toBe(reason)
  })

  it('of an algorithm that is not accepted', async () => {
    const proof = await prove({ key: rsa })
    expect(await judged(proof, { algorithms: ['ES256'] })).toBe('proof-algorithm')
    for (const alg of ['none', 'HS256', '', 1, null]) {
      const [, claims, signature] = (await prove()).split('.')
      const head = part({ typ: 'dpop+jwt', alg, jwk: publicPart(clientKey) })
      expect(await judged(`${head}.${claims}.${signature}`)).toBe('proof-algorithm')
    }
  })

  it('in another spelling, too long, or no JSON', async () => {
    const good = await prove()
    const [head, claims, signature] = good.split('.') as [string, string, string]
    for (const proof of [
      `${good}=`,
      `${good} `,
      good.replace('.', '..'),
      `${head}.${claims}`,
      `${head}.${claims}.`,
      `${part('[]')}.${claims}.${signature}`,
      `${part('{')}.${claims}.${signature}`,
      `${head}.${part('null')}.${signature}`,
      await prove({ claims: { more: 'x'.repeat(9_000) } }),
      '',
    ]) {
      expect(await judged(proof)).toBe('proof-malformed')
    }
    expect(await judged(undefined)).toBe('proof-missing')
    expect(await judged(`${good}, ${good}`)).toBe('proof-missing')
    expect(await judged(good)).toBe('good')
  })
})

describe('a proof that is good', () => {
  it.each([
    'http://api.example/orders?a=1',
    'http://api.example/orders#top',
    'HTTP://API.example:80/orders',
    'http://api.example/x/../orders',
    'http://api.example/%6frders',
  ])('for %s, which means the same', async (htu) => {
    expect(await judged(await prove({ claims: { htu } }))).toBe('good')
  })

  it('at the ends of its time, by a key of each kind', async () => {
    for (const iat of [NOW - 70, NOW + 10])
      expect(await judged(await prove({ claims: { iat } }))).toBe('good')
    for (const alg of ['EdDSA', 'RS256', 'PS256', 'ES256']) {
      const key = testKey(alg)
      const confirming = proofs({ baseUrl: BASE_URL })
      const req = { method: 'GET', url: '/orders', headers: { dpop: await prove({ key }) } }
      expect(await confirming.confirm(req as never, bound, await thumbprintOf(key))).toMatchObject({
        kind: 'good',
      })
    }
  })

  it('from more clients than are remembered, whose proofs are good again and again', async () => {
    const confirming = proofs({ baseUrl: BASE_URL })
    const confirm = async (key: ReturnType<typeof testKey>): Promise<string> => {
      const req = { method: 'GET', url: '/orders', headers: { dpop: await prove({ key }) } }
      return (await confirming.confirm(req as never, bound, await thumbprintOf(key))).kind
    }
    const keys = Array.from({ length: 1_005 }, () => testKey('EdDSA'))
    for (const key of keys) expect(await confirm(key)).toBe('good')
    for (const key of [keys[0]!, keys[1_004]!]) expect(await confirm(key)).toBe('good')
    // The key of one under the name of another.
    const req = { method: 'GET', url: '/orders', headers: { dpop: await prove({ key: keys[1]! }) } }
    expect(await confirming.confirm(req as never, bound, await thumbprintOf(keys[2]!))).toMatchObject({
      reason: 'proof-token',
    })
  })

  // RFC 9449 figures 11 and 12, and §6.1.
  it('as the RFC has it', async () => {
    const token = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
    const proof = [
      'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQy',
      'VVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJl',
      'MWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlh',
      'dCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOp',
      'txRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
    ].join('')
    const confirming = dpop({
      clock: () => 1_562_262_618_000,
      baseUrl: 'https://resource.example.org',
    })
    const req = { method: 'GET', url: '/protectedresource', headers: { dpop: proof } }
    const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
    expect(await confirming.confirm(req as never, token, thumbprint)).toMatchObject({ kind: 'good' })
  })
})

describe('the address of a request', () => {
  it('is the one that its client knows, by the proxies that Express trusts', async () => {
    const app = express()
    app.set('trust proxy', 'loopback')
    app.get('/orders', accessToken(options({ clock, dpop: proofs() })), show)
    const plain = express().get('/orders', accessToken(options({ clock, dpop: proofs() })), show)
    const [behind, open] = [await listen(app), await listen(plain)]
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
    const statusOf = async ({ send, url }: RunningApp, htu: string, headers = {}): Promise<number> => {
      const dpopHeader = await prove({ claims: { htu: htu.replace('SELF', url) } })
      return (
        await send('GET', '/orders?a=1', { authorization: `DPoP ${bound}`, dpop: dpopHeader, ...headers })
      ).status
    }
    expect(await statusOf(behind, 'https://shop.example/orders', forwarded)).toBe(200)
    expect(await statusOf(behind, 'SELF/orders')).toBe(200)
    expect(await statusOf(behind, 'SELF/orders', forwarded)).toBe(401)
    // Whom nobody trusts says nothing of it.
    expect(await statusOf(open, 'https://shop.example/orders', forwarded)).toBe(401)
    expect(await statusOf(open, 'SELF/orders', forwarded)).toBe(200)
    await behind.close()
    await open.close()
  })
})

describe('nonces', () => {
  const withNonce = async (secrets: string[], nonce: unknown): Promise<string> =>
    judged(await prove({ claims: { nonce } }), { nonceSecrets: secrets })
  const nonceOf = async (secrets: string[]): Promise<string> => {
    const req = { method: 'GET', url: '/orders', headers: { dpop: await prove() } }
    const outcome = await proofs({ baseUrl: BASE_URL, nonceSecrets: secrets }).confirm(
      req as never,
      bound,
      clientThumbprint,
    )
    return outcome.nonce!
  }
  const [old, young] = ['o'.repeat(32), 'y'.repeat(32)]

  it('are the same in all processes, and survive a change of the secret', async () => {
    expect(await nonceOf([young])).toBe(await nonceOf([young]))
    const nonce = await nonceOf([old])
    expect(await withNonce([old], nonce)).toBe('good')
    expect(await withNonce([young, old], nonce)).toBe('good')
    expect(await withNonce([young], nonce)).toBe('proof-nonce')
    expect(await withNonce([old], await nonceOf([young, old]))).toBe('proof-nonce')
  })

  it('are good for half of their life at least, all of it at most, and one slot early', async () => {
    const nonce = await nonceOf([old])
    const slotMs = 150_000
    const start = Math.floor(NOW_MS / slotMs) * slotMs
    const outcomes: Record<number, string> = {}
    for (const slots of [-2, -1, 0, 1, 2]) {
      nowMs = start + slots * slotMs
      outcomes[slots] = await withNonce([old], nonce)
    }
    nowMs = NOW_MS
    expect(outcomes).toEqual({ [-2]: 'proof-nonce', [-1]: 'good', 0: 'good', 1: 'good', 2: 'proof-nonce' })
  })

  it('are refused when they are made up', async () => {
    const nonce = await nonceOf([old])
    for (const wrong of [
      '',
      'x',
      `${nonce}x`,
      `0${nonce}`,
      nonce.replace(/.$/, '_'),
      `.${nonce}`,
      'é'.repeat(30),
    ]) {
      expect(await withNonce([old], wrong)).toBe('proof-nonce')
    }
    expect(await withNonce([old], 1)).toBe('proof-claims')
  })
})

describe('a store that fails', () => {
  const failing: ReplayStore = {
    claim: () => {
      throw new Error('away')
    },
  }
  it('rejects unless it was told to accept, and says so on a channel', async () => {
    const decisions: string[] = []
    const stop = replayFailureChannel.subscribe(({ decision }) => decisions.push(decision))
    await expect(judged(await prove(), { store: failing })).rejects.toThrow('away')
    expect(await judged(await prove(), { store: failing, onStoreError: 'accept' })).toBe('good')
    stop()
    expect(decisions).toEqual(['reject', 'accept'])
  })
})

it('says on the channel why a proof was refused, and nothing of it', async () => {
  const messages: unknown[] = []
  const stop = refusedChannel.subscribe((message) => messages.push(message))
  const app = await listen(express().get('/orders', accessToken(options({ clock, dpop: proofs() })), show))
  await app.send('GET', '/orders', { authorization: `DPoP ${bound}`, dpop: await prove() })
  stop()
  await app.close()
  expect(messages).toEqual([{ reason: 'proof-url', issuer: 'https://issuer.example/' }])
})

it('refuses options that do not go together', () => {
  expect(() => dpop({ algorithms: ['HS256'] })).toThrow(/algorithms/)
  expect(() => dpop({ nonceSecrets: ['short'] })).toThrow(/nonceSecrets/)
  expect(() => dpop({ nonceSecrets: [] })).toThrow(/nonceSecrets/)
  expect(() => dpop({ mode: 'maybe' } as never)).toThrow(/mode/)
  expect(() => accessToken(options({ dpop: {} as never }))).toThrow(/dpop/)
})
