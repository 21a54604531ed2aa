import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import express from 'express'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { jwks, signingKeys } from '../../src/index.js'
import { listen } from '../app.js'
import { testKey } from '../tokens.js'

const one = testKey('EdDSA', 'one')
const two = testKey('ES256', 'two')
const HOUR = 3_600_000

describe('rotation', () => {
  it('publishes a key before it signs, and until its last token is over', () => {
    let nowMs = 0
    const keys = signingKeys([{ key: two.privateJwk, activeAt: 2 * HOUR }, { key: one.privateJwk }], {
      clock: () => nowMs,
    })
    const seen = (): [string, string[]] => [keys.current().kid, keys.jwks().keys.map(({ kid }) => kid!)]
    expect(seen()).toEqual(['one', ['one', 'two']])
    nowMs = 2 * HOUR - 1
    expect(seen()).toEqual(['one', ['one', 'two']])
    nowMs = 2 * HOUR
    expect(seen()).toEqual(['two', ['one', 'two']])
    expect(keys.find('EdDSA', 'one')).toBeDefined()
    nowMs = 3 * HOUR
    expect(seen()).toEqual(['two', ['two']])
    expect(keys.find('EdDSA', 'one')).toBeUndefined()
    expect(keys.find('ES256', 'two')).toBeDefined()
  })

  it('says when no key signs yet', () => {
    const keys = signingKeys([{ key: one.privateJwk, activeAt: 5 }], { clock: () => 4 })
    expect(() => keys.current()).toThrow(/no key is active yet/)
  })
})

describe('keys', () => {
  it('PKCS#8, a JWK, or a JWK as text, with the algorithm that fits', () => {
    const pem = one.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const named = [pem, one.privateJwk, JSON.stringify(one.privateJwk)].map((key) =>
      signingKeys(key).current(),
    )
    expect(named.map(({ algorithm }) => algorithm)).toEqual(['EdDSA', 'EdDSA', 'EdDSA'])
    for (const alg of ['ES256', 'ES384', 'ES512', 'RS256', 'PS384']) {
      expect(signingKeys(testKey(alg).privateJwk).current().algorithm).toBe(alg)
    }
  })

  it('are named by their thumbprint (RFC 7638) if they have no name', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
    for (const key of [rsa, one.privateKey, two.privateKey]) {
      const pem = key.export({ type: 'pkcs8', format: 'pem' }) as string
      const wanted = await calculateJwkThumbprint(createPublicKey(key).export({ format: 'jwk' }) as never)
      expect(signingKeys(pem).current().kid).toBe(wanted)
    }
  })

  it('that cannot sign are refused, without a word of what they are', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey.export({ format: 'jwk' })
    for (const key of ['hunter2', '{}', 'null', one.jwk, weak, { kty: 'oct', k: 'aHVudGVyMg' }]) {
      expect(() => signingKeys(key as never)).toThrow(/cannot sign/)
      expect(() => signingKeys(key as never)).not.toThrow(/hunter2|aHVudGVyMg/)
    }
    expect(() => signingKeys([])).toThrow(/at least one key/)
    expect(() => signingKeys([{ key: one.privateJwk }, { key: one.privateJwk }])).toThrow(/same `kid`/)
  })
})

it('the route shows public members only', async () => {
  const app = await listen(
    express().get(
      '/jwks.json',
      jwks(signingKeys([{ key: one.privateJwk }, { key: two.privateJwk, activeAt: 9e15 }])),
    ),
  )
  const { status, headers, body } = await app.send('GET', '/jwks.json')
  await app.close()
  expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
    200,
    'application/jwk-set+json',
    'public, max-age=300',
  ])
  expect(body).toEqual({ keys: [one.jwk, two.jwk] })
})
