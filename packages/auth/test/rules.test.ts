import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type AccessTokenOptions,
  accessToken,
  algorithms,
  type InvalidToken,
  localKeys,
  signingKeys,
} from '../src/index.js'
import {
  AUDIENCE,
  type Changes,
  goodClaims,
  ISSUER,
  key,
  mint,
  NOW,
  NOW_MS,
  options,
  part,
  testKey,
} from './tokens.js'

// Each rule with a token that breaks exactly this one: everything else about it is good.

async function reasonOf(token: string, changes?: Partial<AccessTokenOptions>): Promise<string> {
  return accessToken(options(changes))
    .verify(token)
    .then(
      () => 'accepted',
      (error: InvalidToken) => error.reason ?? error.message,
    )
}

it('a good token is accepted, and its claims are there', async () => {
  const auth = await accessToken(options()).verify(await mint())
  expect(auth.claims).toEqual(goodClaims())
  expect([...auth.scopes]).toEqual(['read', 'write'])
})

const stranger = testKey('ES256', 'k1')

const broken: [rule: string, changes: Changes, reason: string][] = [
  ['iss of somebody else', { claims: { iss: 'https://evil.example/' } }, 'issuer'],
  ['iss without the slash at the end', { claims: { iss: ISSUER.slice(0, -1) } }, 'issuer'],
  ['iss in other case', { claims: { iss: ISSUER.toUpperCase() } }, 'issuer'],
  ['no iss', { claims: { iss: undefined } }, 'issuer'],
  ['iss that is a list', { claims: { iss: [ISSUER] } }, 'issuer'],
  ['aud of another API', { claims: { aud: 'https://other.example' } }, 'audience'],
  ['aud that only begins like ours', { claims: { aud: `${AUDIENCE}.evil.example` } }, 'audience'],
  ['aud list without us', { claims: { aud: ['a', 'b'] } }, 'audience'],
  ['aud list that is empty', { claims: { aud: [] } }, 'audience'],
  ['aud of another type', { claims: { aud: { 0: AUDIENCE } } }, 'claims'],
  ['aud list with another type', { claims: { aud: [AUDIENCE, 1] } }, 'claims'],
  ['no aud', { claims: { aud: undefined } }, 'claims'],
  ['no sub', { claims: { sub: undefined } }, 'claims'],
  ['sub that is empty', { claims: { sub: '' } }, 'claims'],
  ['sub that is a number', { claims: { sub: 1 } }, 'claims'],
  ['no client_id', { claims: { client_id: undefined } }, 'claims'],
  ['no jti', { claims: { jti: undefined } }, 'claims'],
  ['no iat', { claims: { iat: undefined } }, 'claims'],
  ['no exp', { claims: { exp: undefined } }, 'claims'],
  ['exp that is text', { claims: { exp: String(NOW + 300) } }, 'claims'],
  ['exp that is negative', { claims: { exp: -1 } }, 'claims'],
  ['scope that is a list', { claims: { scope: ['read'] } }, 'claims'],
  ['sid that is a number', { claims: { sid: 7 } }, 'claims'],
  ['auth_time that is text', { claims: { auth_time: 'now' } }, 'claims'],
  ['exp, past the tolerance', { claims: { exp: NOW - 10 } }, 'expired'],
  ['nbf, past the tolerance', { claims: { nbf: NOW + 11 } }, 'early'],
  ['iat in the future', { claims: { iat: NOW + 11 } }, 'early'],
  ['typ of an ID token', { header: { typ: 'JWT' } }, 'type'],
  ['no typ', { header: { typ: undefined } }, 'type'],
  ['typ of a logout token', { header: { typ: 'logout+jwt' } }, 'type'],
  ['typ that is no text', { header: { typ: 1 } }, 'malformed'],
  ['kid that nobody has', { header: { kid: 'k2' } }, 'key'],
  ['kid that is no text', { header: { kid: 1 } }, 'malformed'],
  ['kid that is endless', { header: { kid: 'k'.repeat(257) } }, 'malformed'],
  ['a key of its own', { header: { jwk: stranger.jwk }, key: stranger }, 'header'],
  ['the address of a key set', { header: { jku: 'https://evil.example/jwks' } }, 'header'],
  ['the address of a certificate', { header: { x5u: 'https://evil.example/cert' } }, 'header'],
  ['a certificate', { header: { x5c: ['MIIB'] } }, 'header'],
  ['an unknown critical extension', { header: { crit: ['ext'], ext: 1 } }, 'header'],
  ['a payload that is not encoded', { header: { crit: ['b64'], b64: true } }, 'header'],
  ['a signature by another key of the same name', { key: stranger }, 'signature'],
  ['an algorithm that is not trusted', { key: testKey('ES384', 'k1') }, 'algorithm'],
  ['a payload that is a list', { payload: '[]' }, 'malformed'],
  ['a payload that is no JSON', { payload: '{' }, 'malformed'],
  ['a payload that is null', { payload: 'null' }, 'malformed'],
]

describe('refused, for this reason alone', () => {
  it.each(broken)('%s', async (_, changes, reason) => {
    expect(await reasonOf(await mint(changes))).toBe(reason)
  })

  it('no signature (alg none)', async () => {
    const unsigned = `${part({ alg: 'none', typ: 'at+jwt', kid: 'k1' })}.${part(goodClaims())}`
    expect(await reasonOf(`${unsigned}.`)).toBe('malformed')
    expect(await reasonOf(`${unsigned}.AA`)).toBe('algorithm')
  })

  it('the public key as the secret of an HMAC', async () => {
    const signed = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })}.${part(goodClaims())}`
    const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' })
    const forged = `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`
    expect(await reasonOf(forged)).toBe('algorithm')
  })

  it('a signature of zeros (CVE-2022-21449)', async () => {
    const [head, body] = (await mint()).split('.')
    expect(await reasonOf(`${head}.${body}.${Buffer.alloc(64).toString('base64url')}`)).toBe('signature')
  })

  it('a token longer than maxTokenBytes', async () => {
    const token = await mint({ claims: { filler: 'x'.repeat(9_000) } })
    expect(await reasonOf(token)).toBe('too-large')
    expect(await reasonOf(token, { maxTokenBytes: 16_384 })).toBe('accepted')
  })

  it('a claim that does not fit the schema', async () => {
    const claims = z.object({ sub: z.string(), tenant: z.string() })
    expect(await reasonOf(await mint(), { claims } as never)).toBe('claims')
    expect(await reasonOf(await mint({ claims: { tenant: 't' } }), { claims } as never)).toBe('accepted')
  })

  it('a second spelling of a good token', async () => {
    const token = await mint()
    const [head, body, signature] = token.split('.') as [string, string, string]
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // An ES256 signature is 64 bytes, 86 characters: the last one has four unused bits.
    const last = alphabet[alphabet.indexOf(signature.at(-1)!) + 1]
    const spellings = [
      `${head}.${body}.${signature.slice(0, -1)}${last}`,
      `${head}.${body}.${signature}==`,
      `${head}.${body}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
      `${head}.${body}.${signature}\n`,
      ` ${token}`,
      `${head}..${body}.${signature}`,
      `${head}.${body}.${signature}.`,
      `.${head}.${body}.${signature}`,
      `${head}.${body}`,
      `${head}\u00e9.${body}.${signature}`,
    ]
    expect(await Promise.all(spellings.map((spelling) => reasonOf(spelling)))).toEqual(
      spellings.map(() => 'malformed'),
    )
  })
})

describe('accepted, at the very edge', () => {
  const good: [string, Changes][] = [
    ['exp within the tolerance', { claims: { exp: NOW - 9 } }],
    ['nbf within the tolerance', { claims: { nbf: NOW + 10 } }],
    ['instants with fractions', { claims: { iat: NOW - 0.5, exp: NOW + 0.5 } }],
    ['aud list with us', { claims: { aud: ['other', AUDIENCE] } }],
    ['typ in its long form', { header: { typ: 'application/at+jwt' } }],
    ['typ in other case', { header: { typ: 'AT+JWT' } }],
    ['no kid, and one key that fits', { header: { kid: undefined } }],
    ['no scope', { claims: { scope: undefined } }],
    ['an empty scope', { claims: { scope: '' } }],
    ['unknown claims and headers', { claims: { x: { y: [1] } }, header: { x: 1 } }],
  ]
  it.each(good)('%s', async (_, changes) => {
    expect(await reasonOf(await mint(changes))).toBe('accepted')
  })
})

describe('type: jwt, the way out for providers without RFC 9068', () => {
  const type = 'jwt'
  it.each(['JWT', undefined, 'at+jwt'])('takes typ %s, without client_id, jti and iat', async (typ) => {
    const claims = { client_id: undefined, jti: undefined, iat: undefined }
    expect(await reasonOf(await mint({ header: { typ }, claims }), { type })).toBe('accepted')
  })
  it('takes no other type', async () => {
    expect(await reasonOf(await mint({ header: { typ: 'dpop+jwt' } }), { type })).toBe('type')
  })
  it('asks for iss, sub, aud and exp all the same', async () => {
    for (const name of ['sub', 'aud', 'exp']) {
      expect(await reasonOf(await mint({ claims: { [name]: undefined } }), { type })).toBe('claims')
    }
  })
})

describe('algorithms', () => {
  const secret = Buffer.alloc(64, 7)
  const hmac = (size: number) => ({ kty: 'oct', k: secret.subarray(0, size).toString('base64url') })

  it.each(algorithms)('%s verifies, and a changed token does not', async (alg) => {
    const symmetric = alg.startsWith('HS')
    const by = symmetric ? undefined : testKey(alg, 'k')
    const keys = localKeys(by?.jwk ?? hmac(64))
    let token = by === undefined ? '' : await mint({ key: by })
    if (symmetric) {
      const signed = `${part({ alg, typ: 'at+jwt' })}.${part(goodClaims())}`
      token = `${signed}.${createHmac(`sha${alg.slice(2)}`, secret)
        .update(signed)
        .digest('base64url')}`
    }
    const trust = { algorithms: [alg], keys }
    expect(await reasonOf(token, trust)).toBe('accepted')
    const [head, , signature] = token.split('.')
    const changed = `${head}.${part({ ...goodClaims(), sub: 'root' })}.${signature}`
    expect(await reasonOf(changed, trust)).toBe('signature')
  })

  it('never HMAC and public keys together', () => {
    expect(() => accessToken(options({ algorithms: ['HS256', 'RS256'] }))).toThrow(
      /mixes HMAC and public keys/,
    )
  })

  it('never none', () => {
    expect(() => accessToken(options({ algorithms: ['none' as 'HS256'] }))).toThrow(/`algorithms` must be/)
  })

  it('Ed25519 by both of its names (RFC 9864), each only where it is trusted', async () => {
    const by = testKey('Ed25519', 'k')
    const { alg: _, ...unnamed } = by.jwk
    const named = (alg: string | undefined) => localKeys({ ...unnamed, ...(alg && { alg }) })
    for (const alg of ['EdDSA', 'Ed25519'] as const) {
      const token = await mint({ key: { ...by, alg } })
      for (const keyAlg of ['EdDSA', 'Ed25519', undefined]) {
        expect(await reasonOf(token, { algorithms: [alg], keys: named(keyAlg) })).toBe('accepted')
        const other = alg === 'EdDSA' ? 'Ed25519' : 'EdDSA'
        expect(await reasonOf(token, { algorithms: [other], keys: named(keyAlg) })).toBe('algorithm')
      }
    }
  })

  it('default to those of keys that are at hand, and are refused where none of these keys is for them', async () => {
    const rsa = testKey('RS256', 'k')
    const { algorithms: _, ...rest } = options()
    const tokens = accessToken({ ...rest, keys: localKeys(rsa.jwk) })
    expect((await tokens.verify(await mint({ key: rsa }))).claims.sub).toBe('user-1')
    const own = signingKeys(rsa.privateJwk)
    expect(accessToken({ ...rest, keys: own })).toBeTypeOf('function')
    expect(() => accessToken({ ...rest, keys: own, algorithms: ['EdDSA'] })).toThrow(
      /RS256.*every token would be refused/,
    )
    expect(() => accessToken({ ...rest, keys: { find: () => undefined } })).toThrow(
      /`algorithms` is required/,
    )
    const secret = { kty: 'oct', k: 'A'.repeat(86), kid: 'h' }
    expect(() => accessToken({ ...rest, keys: localKeys([rsa.jwk, secret]) })).toThrow(
      /mixes HMAC and public keys/,
    )
  })

  it('a key only for what it says of itself', async () => {
    const rsa = testKey('RS256', 'k')
    const other = { ...rsa, alg: 'PS256' }
    const token = await mint({ key: other })
    expect(await reasonOf(token, { algorithms: ['PS256', 'RS256'], keys: localKeys(rsa.jwk) })).toBe('key')
    const { alg: _, ...any } = rsa.jwk
    expect(await reasonOf(token, { algorithms: ['PS256', 'RS256'], keys: localKeys(any) })).toBe('accepted')
  })

  it('no key that is too small, or for something else', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' })
    const unusable = [
      small,
      hmac(31),
      { ...hmac(32), alg: 'HS512' },
      { ...key.jwk, use: 'enc' },
      { ...key.jwk, key_ops: ['encrypt'] },
      { ...key.jwk, alg: 'RS256' },
      { ...key.jwk, x: 'AAAA' },
      { kty: 'OKP', crv: 'X25519', x: key.jwk.x },
      {},
      null,
    ]
    for (const jwk of unusable) expect(() => localKeys(jwk as never)).toThrow(/cannot verify signatures/)
  })

  it('no two local keys of one name, and not none', () => {
    expect(() => localKeys([key.jwk, stranger.jwk])).toThrow(/a `kid` of its own/)
    expect(() => localKeys({ keys: [] })).toThrow(/at least one key/)
  })

  it('the public part of a private key', async () => {
    expect(await reasonOf(await mint(), { keys: localKeys(key.privateJwk) })).toBe('accepted')
  })

  it('without kid, only if no other key could be meant', async () => {
    const keys = localKeys([key.jwk, { ...stranger.jwk, kid: 'k2' }])
    expect(await reasonOf(await mint({ header: { kid: undefined } }), { keys })).toBe('key')
    expect(await reasonOf(await mint(), { keys })).toBe('accepted')
  })
})

describe('tokens that name no audience', () => {
  const trust = { audience: false, clientId: ['web', 'app'] } as const
  it('pass if they were given to a client that is trusted, and name no audience', async () => {
    expect(await reasonOf(await mint({ claims: { aud: undefined } }), trust)).toBe('accepted')
    expect(await reasonOf(await mint({ claims: { aud: undefined, client_id: 'other' } }), trust)).toBe(
      'client',
    )
    expect(await reasonOf(await mint(), trust)).toBe('audience')
    expect(await reasonOf(await mint({ claims: { aud: [] } }), trust)).toBe('audience')
  })

  it('by `azp`, where there is no `client_id`; not without either', async () => {
    const only = { ...trust, type: 'jwt' } as const
    const claims = { aud: undefined, client_id: undefined }
    expect(await reasonOf(await mint({ claims: { ...claims, azp: 'web' } }), only)).toBe('accepted')
    expect(await reasonOf(await mint({ claims: { ...claims, azp: 'other' } }), only)).toBe('client')
    expect(await reasonOf(await mint({ claims: { ...claims, azp: ['web'] } }), only)).toBe('claims')
    expect(await reasonOf(await mint({ claims }), only)).toBe('claims')
    expect(
      await reasonOf(await mint({ claims: { aud: undefined, client_id: 'other', azp: 'web' } }), only),
    ).toBe('client')
  })

  it('need a client to be named', () => {
    expect(() => accessToken(options({ audience: false }))).toThrow(/`clientId`/)
  })

  it('and those that name one may be held to a client as well', async () => {
    expect(await reasonOf(await mint(), { clientId: 'app' })).toBe('accepted')
    expect(await reasonOf(await mint(), { clientId: 'web' })).toBe('client')
  })
})

describe('several issuers', () => {
  const theirs = testKey('EdDSA', 'k1')
  const other = {
    issuer: 'https://two.example',
    audience: 'two',
    algorithms: ['EdDSA'] as const,
    keys: localKeys(theirs.jwk),
  }
  const both = { otherIssuers: [other] }
  const claims = { iss: other.issuer, aud: 'two' }

  it('each with its own keys, audience and algorithms', async () => {
    expect(await reasonOf(await mint(), both)).toBe('accepted')
    expect(await reasonOf(await mint({ key: theirs, claims }), both)).toBe('accepted')
    expect(await reasonOf(await mint({ key: theirs, claims: { iss: other.issuer } }), both)).toBe('audience')
    expect(await reasonOf(await mint({ key: theirs }), both)).toBe('algorithm')
    expect(await reasonOf(await mint({ claims }), both)).toBe('algorithm')
  })

  it('no two of one name', () => {
    expect(() => accessToken(options({ otherIssuers: [{ ...other, issuer: ISSUER }] }))).toThrow(/same name/)
  })
})

describe('options', () => {
  it.each(['issuer', 'audience', 'keys'])('%s is required', (name) => {
    expect(() => accessToken(options({ [name]: undefined }))).toThrow(`\`${name}\` is required`)
    const other = { ...options(), issuer: 'o', clock: undefined, [name]: undefined }
    expect(() => accessToken(options({ otherIssuers: [other] }))).toThrow(/otherIssuers/)
  })

  it('wrong ones are named', () => {
    expect(() => accessToken(options({ realm: 'a"b' }))).toThrow(/`realm` must be/)
    expect(() => accessToken(options({ clockToleranceMs: 600_000 }))).toThrow(/`clockToleranceMs` must be/)
    expect(() => accessToken({ ...options(), algorithm: 'RS256' } as never)).toThrow(
      /Did you mean `algorithms`/,
    )
    expect(() => accessToken(options({ resourceMetadata: 'no url' }))).toThrow(/an absolute URL/)
  })

  it('no message repeats a secret', () => {
    const k = Buffer.from('hunter2').toString('base64url')
    for (const bad of [
      () => localKeys({ kty: 'oct', k }),
      () => accessToken(options({ keys: k as never })),
    ]) {
      expect(bad).toThrow()
      expect(bad).not.toThrow(k)
    }
  })
})

it('the time of a test is what its clock says', async () => {
  expect(await reasonOf(await mint(), { clock: () => NOW_MS + 400_000 })).toBe('expired')
})
