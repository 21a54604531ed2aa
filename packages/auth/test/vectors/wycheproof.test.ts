import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
  sign,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Jwk, Jwks } from '../../src/index.js'
import { part, type TestKey, testKey } from '../tokens.js'
import { digestInfo, wrongDigestInfos } from './digest-info.js'
import { judged } from './judged.js'
import { type PssChanges, pssEncoded } from './pss.js'

// The cases of Wycheproof's json_web_signature_test and json_web_key_test under their numbers, made anew with keys of our own. The
// files themselves are tried by `pnpm conformance auth <checkout>`.

type Case = readonly [id: number, text: string, keys?: Jwk | Jwks]

const secret: Jwk = { kty: 'oct', kid: 'k1', alg: 'HS256', k: randomBytes(32).toString('base64url') }
const ec = testKey('ES256', 'k1')
const rsa = Object.fromEntries(
  ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, testKey(alg, 'k1')]),
) as Record<string, TestKey>

const hmac = (signed: string, by = secret): string =>
  createHmac(by.alg!.replace('HS', 'sha'), Buffer.from(by.k!, 'base64url')).update(signed).digest('base64url')
const raw = (by: TestKey, encoded: Buffer): Buffer =>
  privateEncrypt({ key: by.privateKey, padding: constants.RSA_NO_PADDING }, encoded)
const signedBy = ({ alg, privateKey }: TestKey, signed: string): string => {
  const padding = alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: -1 } : {}
  const how = { key: privateKey, dsaEncoding: 'ieee-p1363' as const, ...padding }
  return sign(`sha${alg.slice(2)}`, Buffer.from(signed), how).toString('base64url')
}
const start = (alg: string, payload = 'foo', more = {}): string =>
  `${part({ alg, kid: 'k1', ...more })}.${part(payload)}`
const joined = (signed: string, signature: Buffer | string): string =>
  `${signed}.${typeof signature === 'string' ? signature : signature.toString('base64url')}`
const ofSecret = (signed: string): string => joined(signed, hmac(signed))
const otherwise = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`

/** The thirteen ways to break a token that the file tries with each kind of key, the first of which is none. */
function damaged(first: number, jws: string): Case[] {
  const [header, payload, signature] = jws.split('.') as [string, string, string]
  return [
    jws,
    `${header}.${payload}.${otherwise(signature)}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${header}.${otherwise(payload)}.${signature}`,
    `${header}..${signature}`,
    `${header}.${signature}`,
    `${otherwise(header)}.${payload}.${signature}`,
    `.${payload}.${signature}`,
    `${payload}.${signature}`,
    `.${payload}.`,
    payload,
    '',
  ].map((text, index) => [first + index, text] as const)
}

const hs = ofSecret(start('HS256'))
const es = joined(start('ES256'), signedBy(ec, start('ES256')))
const rs = joined(start('RS256'), signedBy(rsa.RS256!, start('RS256')))

const general: Case[] = [
  ...damaged(1, hs),
  [14, `${hs}.`],
  [15, `${hs}.foo`],
  [16, `${start('none')}.`],
  [
    17,
    JSON.stringify({
      payload: part('foo'),
      signatures: [{ protected: hs.split('.')[0], signature: hmac(start('HS256')) }],
    }),
  ],
]
const point = Buffer.concat([
  Buffer.from([4]),
  ...[ec.jwk.x!, ec.jwk.y!].map((one) => Buffer.from(one, 'base64url')),
])
const stranger = testKey('ES256', 'k1')
const ofItsOwnKey = start('ES256', 'foo', { jwk: stranger.jwk })
const curve: Case[] = [
  ...damaged(18, es),
  [31, joined(start('HS256'), createHmac('sha256', point).update(start('HS256')).digest())],
  [32, joined(ofItsOwnKey, signedBy(stranger, ofItsOwnKey))],
]

const padded = (der: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(253 - der.length, 0xff), Buffer.from([0]), der])
const der = (info: Buffer): string => joined(start('RS256'), raw(rsa.RS256!, padded(info)))

/** The first byte, or the one at a place, with one bit turned. */
const turned =
  (at: number, bit = 1) =>
  (value: Buffer): Buffer => {
    const copy = Buffer.from(value)
    copy[at < 0 ? copy.length + at : at]! ^= bit
    return copy
  }
const saltOf = (length: number): PssChanges => ({ salt: () => Buffer.alloc(length, 7) })
const pss: readonly PssChanges[] = [
  ...[turned(0), turned(0, 0x80), turned(1), turned(15), turned(-1)].map((hash) => ({ hash })),
  ...[0, 1, 16, 31, 33, 64].map(saltOf),
  { salt: () => Buffer.alloc(32, 0) },
  { salt: () => Buffer.alloc(32, 0xff) },
  ...[turned(0), turned(3), turned(7)].map((zeros) => ({ zeros })),
  ...[0, 1, 7, 15, 16, 24, 30, 31].map((at) => ({ messageHash: turned(at) })),
  // The zeros and the one before the salt.
  ...[0, 1, 64, 189, 190].map((at) => ({ block: turned(at, at === 0 ? 0x40 : 1) })),
  { block: turned(190, 0x80) },
  ...[191, -1].map((at) => ({ block: turned(at) })),
  { masked: turned(100) },
  ...[turned(-1), turned(-1, 0x80), turned(0, 0x40)].map((message) => ({ message })),
]
const ps = (alg: 256 | 384 | 512, changes?: PssChanges): string =>
  joined(start(`PS${alg}`), raw(rsa[`PS${alg}`]!, pssEncoded(start(`PS${alg}`), alg, changes)))
const modulus = BigInt(`0x${Buffer.from(rsa.PS256!.jwk.n!, 'base64url').toString('hex')}`)
const asBytes = (value: bigint, length = 256): Buffer =>
  Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')
const goodPs = Buffer.from(ps(256).split('.')[2]!, 'base64url')
const asSignature = (signature: Buffer): string => joined(start('PS256'), signature)
/** A signature of another algorithm under a header that says PS512. */
const pretended = (alg: string): string =>
  joined(start('PS512'), signedBy({ ...rsa.PS512!, alg }, start('PS512')))
const noneOf = (header: object): string => `${part(header)}.${part('123400')}.`

const values = { zero: 0n, one: 1n, before: 0n, order: 0n }
values.order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
values.before = values.order - 1n
const { zero, one, before, order } = values
const [r, s] = [0, 32].map((at) =>
  BigInt(
    `0x${Buffer.from(es.split('.')[2]!, 'base64url')
      .subarray(at, at + 32)
      .toString('hex')}`,
  ),
) as [bigint, bigint]
const rs256 = (first: bigint, second: bigint, length = 32): string =>
  joined(start('ES256'), Buffer.concat([asBytes(first, length), asBytes(second, length)]))
const special: Case[] = [
  [378, es],
  [
    379,
    joined(start('ES256'), Buffer.concat([Buffer.from(es.split('.')[2]!, 'base64url'), randomBytes(16)])),
  ],
  [
    380,
    joined(start('ES256'), Buffer.concat([Buffer.from(es.split('.')[2]!, 'base64url'), Buffer.alloc(2)])),
  ],
  [381, rs256(r + order, s, 33)],
  [382, rs256(r, s + order, 33)],
  [383, rs256(r + (1n << 256n), s, 33)],
  [384, rs256(r, s + (1n << 256n), 33)],
  [385, rs256(r, s, 256)],
  ...[zero, one, before, order].flatMap((first, row) =>
    [zero, one, before, order].map(
      (second, column) => [386 + 4 * row + column, rs256(first, second)] as const,
    ),
  ),
]

const payload = (text: string): string => `${part({ alg: 'HS256', kid: 'k1' })}.${text}`
const head = part({ kid: 'k1', alg: 'HS256' })
const within = (text: string, at: number, more: string): string => text.slice(0, at) + more + text.slice(at)
const base64: Case[] = [
  [357, hs],
  // Signatures that have both letters which the two alphabets write differently.
  ...[358, 359].map((id) => [id, edge((text) => /-/.test(text) && /_/.test(text))] as const),
  [360, hs.replace(/\.(?=[^.]*$)/, '.    ')],
  [361, hs.replace(/\.(?=[^.]*$)/, '.?')],
  [362, within(hs, hs.length - 5, '?')],
  [363, edge((text) => text.startsWith('A')).replace(/\.A(?=[^.]*$)/, '.?')],
  [364, hs.replace(/\..{4}(?=[^.]*$)/, '.????')],
  [365, ofSecret(`${head}    .${part('foo')}`)],
  [366, ofSecret(`${head}####.${part('foo')}`)],
  [367, `${hs}=`],
  [368, ofSecret(payload(`    ${part('foo')}`))],
  [369, ofSecret(payload(`####${part('foo')}`))],
  [370, ofSecret(payload(`${part('four')}==`))],
  [371, ofSecret(payload(`?${part('foo')}`))],
  [372, ofSecret(`${within(head, head.length - 1, '?')}.${part('foo')}`)],
  [373, ofSecret(payload(`${part('foo')}?`))],
  [374, joined(payload('AB'), hmac(payload('AA')))],
  [375, ofSecret(payload('AB'))],
  [376, ofSecret(`${part('{ "kid" : "k1", "alg" : "HS256" }')}.${part('foo')}`)],
  [377, ofSecret(`${part('{"kid":"k1",\n\t"alg":"HS256"}')}.${part('foo')}`)],
]

function edge(fits: (signature: string) => boolean): string {
  for (let count = 0; ; count++) {
    const jws = ofSecret(start('HS256', `T${count}`))
    if (fits(jws.split('.')[2]!)) return jws
  }
}

/** A key with members changed, and a token that it has signed. */
const ofKey = (
  id: number,
  by: TestKey,
  changes: object,
  text = joined(start(by.alg), signedBy(by, start(by.alg))),
): Case => [id, text, { keys: [{ ...by.jwk, ...changes }] }]
const only = ({ jwk: { use: _, alg: __, ...jwk } }: TestKey, changes: object): Jwk => ({ ...jwk, ...changes })
const payloads = ['', '\0'.repeat(10), '1', '123400', '123400']
const alike = (first: number, alg: string, count: number): Case[] =>
  payloads.slice(0, count).map((text, index) => {
    const signed = start(alg, text)
    return [first + index, joined(signed, signedBy(rsa[alg]!, signed))]
  })

const rsaCases: Case[] = [
  ...damaged(33, rs),
  ...wrongDigestInfos(start('RS256')).map(([id, info]) => [id, der(info)] as const),
  ...alike(259, 'RS256', 5),
  ...pss.map((changes, index) => [276 + index, ps(256, changes)] as const),
  [312, asSignature(asBytes(0n))],
  [313, asSignature(asBytes(1n))],
  [314, asSignature(asBytes(modulus - 1n))],
  [315, asSignature(asBytes(modulus))],
  [316, asSignature(asBytes(BigInt(`0x${goodPs.toString('hex')}`) + modulus, 257))],
  [317, asSignature(Buffer.concat([Buffer.alloc(2), goodPs]))],
  [318, asSignature(Buffer.concat([goodPs, Buffer.alloc(2)]))],
  [319, asSignature(goodPs.subarray(0, -1))],
  [324, ps(384, { masked: turned(3) })],
  [329, ps(512, { hash: turned(0) })],
  [330, ps(512, { hash: turned(-1) })],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384'].flatMap((alg, index) =>
    [0, 1].map((again) => [331 + 2 * index + again, pretended(alg)] as const),
  ),
  [341, noneOf({ alg: 'none' })],
  [342, noneOf({ alg: 'NONE' })],
  [343, noneOf({ alg: 'none', kid: 'none' })],
  [344, noneOf({ alg: 'none', kid: 'k1' })],
]
const whole: Case[] = [
  ...alike(264, 'RS384', 4),
  ...alike(268, 'RS512', 4),
  ...alike(272, 'PS256', 4),
  ...alike(320, 'PS384', 4),
  ...alike(325, 'PS512', 4),
]
const keyOf = (id: number, text: string): Jwk => {
  if (id <= 17 || (id >= 357 && id <= 377)) return secret
  if (id <= 32 || id >= 378) return ec.jwk
  const alg = /"alg":"(\w+)"/.exec(Buffer.from(text.split('.')[0]!, 'base64url').toString())?.[1]
  return (rsa[alg ?? ''] ?? rsa[id < 264 ? 'RS256' : 'PS512'])!.jwk
}

const uses: Case[] = [
  [353, rs, only(rsa.RS256!, { use: 'enc' })],
  [354, es, only(ec, { use: 'enc' })],
  [355, rs, only(rsa.RS256!, { key_ops: ['encrypt'] })],
  [356, es, only(ec, { key_ops: ['encrypt'] })],
]

/** Those of the file that are good; what it takes and we do not is listed beside `pnpm conformance`. */
const GOOD = new Set([1, 18, 33, 260, 261, 262, 263, 265, 266, 267, 269, 270, 271, 273, 274, 275, 287, 288])
for (const id of [321, 322, 323, 326, 327, 328, 357, 358, 359, 376, 377, 378]) GOOD.add(id)

describe('json_web_signature_test', () => {
  const cases = [...general, ...curve, ...rsaCases, ...whole, ...uses, ...base64, ...special]

  it('every number is there, but for those of RFC 7520, which have tests of their own', () => {
    const ids = cases.map(([id]) => id).sort((a, b) => a - b)
    const all = Array.from({ length: 401 }, (_, index) => index + 1)
    expect(ids).toEqual(all.filter((id) => id < 345 || id > 352))
  })

  it('what is changed here is right without the change', async () => {
    expect(await judged(rsa.RS256!.jwk, der(digestInfo(start('RS256'))))).toBe('good')
    for (const bits of [256, 384, 512] as const) {
      expect(await judged(rsa[`PS${bits}`]!.jwk, ps(bits))).toBe('good')
    }
    expect(await judged(ec.jwk, rs256(r, s))).toBe('good')
  })

  for (const [id, text, keys] of cases) {
    it(`${id}`, async () => {
      expect((await judged(keys ?? keyOf(id, text), text)) === 'good').toBe(GOOD.has(id))
    })
  }
})

describe('json_web_key_test', () => {
  const second: Jwk = { ...secret, kid: 'k2', k: randomBytes(32).toString('base64url') }
  const small = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey
  const smallKey: TestKey = {
    ...rsa.RS256!,
    privateKey: small,
    jwk: { ...createPublicKey(small).export({ format: 'jwk' }), kid: 'k1', alg: 'RS256' },
  }
  const keyed = (id: number, alg: string, length: number): Case => {
    const key: Jwk = { kty: 'oct', kid: 'k1', alg, k: randomBytes(length).toString('base64url') }
    return [id, joined(start(alg), length === 0 ? 'AAAA' : hmac(start(alg), key)), { keys: [key] }]
  }
  const sizes = [256, 384, 512]
  const cases: Case[] = [
    [1, hs, { keys: [secret, { ...ec.jwk, kid: 'k2' }] }],
    [2, hs, { keys: [secret, second] }],
    [3, damaged(0, hs)[1]![1], { keys: [secret, second] }],
    [4, hs, { keys: [secret, { ...second, kid: 'k1' }] }],
    ofKey(5, rsa.RS256!, {}),
    ofKey(6, rsa.RS256!, { alg: 'RSA1_5', use: 'enc' }),
    ofKey(8, smallKey, {}),
    // Whoever knows the message knows its signature then.
    [
      9,
      joined(start('RS256'), padded(digestInfo(start('RS256')))),
      { keys: [{ ...rsa.RS256!.jwk, e: 'AQ' }] },
    ],
    ...sizes.map((bits, index) => keyed(10 + index, `HS${bits}`, bits / 8 - 1)),
    ...sizes.map((bits, index) => keyed(13 + index, `HS${bits}`, 65)),
    ...sizes.map((bits, index) => keyed(16 + index, `HS${bits}`, 0)),
    ofKey(19, ec, { alg: 'ES521' }),
    ofKey(20, ec, { alg: 'ES224' }),
    ofKey(21, ec, { use: 'enc' }),
    ofKey(22, ec, { y: ec.jwk.x }),
    ofKey(23, ec, { crv: 'P-384' }),
    ofKey(24, ec, { kty: 'RSA' }),
    [25, hs, { keys: [{ ...secret, alg: 'A256GCM' }] }],
    [26, hs, { keys: [{ ...secret, alg: 'A256KW' }] }],
  ]

  it('every number is there, but for the one of a library that made weak keys', () => {
    const all = Array.from({ length: 26 }, (_, index) => index + 1)
    expect(cases.map(([id]) => id)).toEqual(all.filter((id) => id !== 7))
  })

  for (const [id, text, keys] of cases) {
    it(`${id}`, async () => {
      expect((await judged(keys!, text)) === 'good').toBe([2, 5, 13, 14, 15].includes(id))
    })
  }
})
