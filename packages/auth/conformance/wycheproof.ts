import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Jwk, Jwks } from '../src/index.js'
import { judged } from '../test/vectors/judged.js'

interface Case {
  tcId: number
  comment: string
  jws?: string | object
  result: 'valid' | 'invalid' | 'acceptable'
}

interface Group {
  public?: Jwk | Jwks
  private: Jwk | Jwks
  tests: readonly Case[]
}

const FILES = ['json_web_signature_test', 'json_web_key_test', 'json_web_crypto_test'] as const

const ROCA = 'neither OpenSSL nor jose looks for the keys of one maker of chips, of 2017'

/** Cases that end otherwise here, and why. */
const OTHERWISE: Record<(typeof FILES)[number], Record<number, string>> = {
  json_web_signature_test: {
    ...Object.fromEntries([259, 264, 268, 272, 320, 325].map((id) => [id, 'claims are never empty'])),
    ...Object.fromEntries([346, 350].map((id) => [id, 'the key says PS256, the signature is of PS384'])),
    ...Object.fromEntries([347, 351].map((id) => [id, 'the key says ES521, which is no algorithm'])),
    ...Object.fromEntries([367, 370].map((id) => [id, 'the very text of 357, which is valid'])),
    ...Object.fromEntries(
      [372, 373].map((id) => [id, 'not base64url (RFC 7515 §2), though some decoders take it']),
    ),
  },
  json_web_key_test: { 7: ROCA },
  json_web_crypto_test: { 46: ROCA },
}

/** Tries every JWS of the three files; JWE is nothing that is read here. @returns whether all ended as they should */
export async function tryWycheproof(checkout: string): Promise<boolean> {
  let areAllRight = true
  for (const file of FILES) {
    const { testGroups } = JSON.parse(
      readFileSync(join(checkout, 'testvectors_v1', `${file}.json`), 'utf8'),
    ) as { testGroups: readonly Group[] }
    let tried = 0
    for (const group of testGroups) {
      for (const { tcId, comment, jws, result } of group.tests) {
        if (jws === undefined) continue
        tried++
        const text = typeof jws === 'string' ? jws : JSON.stringify(jws)
        const step = await judged(group.public ?? group.private, text)
        const reason = OTHERWISE[file][tcId]
        const isRight = (step === 'good') === (result === 'valid')
        if (isRight === (reason === undefined)) continue
        areAllRight = false
        console.log(
          `${file} ${tcId} ${comment}: should be ${result}, is ${step}${isRight ? ', though listed' : ''}`,
        )
      }
    }
    console.log(`${file}: ${tried} tried, ${Object.keys(OTHERWISE[file]).length} end otherwise for a reason`)
  }
  return areAllRight
}
