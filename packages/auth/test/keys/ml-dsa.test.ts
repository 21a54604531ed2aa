import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactSign } from 'jose'
import { describe, expect, it } from 'vitest'
import { accessToken, type Jwk, localKeys, signingKeys, tokenIssuer } from '../../src/index.js'
import { goodClaims, mint, options } from '../tokens.js'

// Node has ML-DSA from 24.7 on; on an older one it is told so. The suite runs on both.

const names = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const
const pairOf = (alg: string): { privateKey: KeyObject; publicKey: KeyObject } =>
  generateKeyPairSync(alg.toLowerCase() as 'ed25519')
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
const isThere = major > 24 || (major === 24 && minor >= 7)
const pub = Buffer.alloc(1_312).toString('base64url')

if (isThere) describe('where Node has ML-DSA', ofNode)
else describe('where it has not', ofOlderNode)

function ofNode(): void {
  const signed = (alg: string, privateKey: KeyObject): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify(goodClaims())))
      .setProtectedHeader({ alg, kid: 'k1', typ: 'at+jwt' })
      .sign(privateKey)

  it.each(names)('%s: a token is accepted by its key, and by no other', async (alg) => {
    const { privateKey, publicKey } = pairOf(alg)
    const keys = localKeys({ ...(publicKey.export({ format: 'jwk' }) as Jwk), kid: 'k1' })
    expect(keys.algorithms).toEqual([alg])
    const tokens = accessToken(options({ algorithms: [alg], keys }))
    expect((await tokens.verify(await signed(alg, privateKey))).claims.sub).toBe('user-1')
    const stranger = pairOf(alg).privateKey
    await expect(tokens.verify(await signed(alg, stranger))).rejects.toMatchObject({ reason: 'signature' })
    await expect(tokens.verify(await mint())).rejects.toMatchObject({ reason: 'algorithm' })
  })

  it('a key of one size is for no other', () => {
    const jwk = pairOf('ML-DSA-65').publicKey.export({ format: 'jwk' }) as Jwk
    expect(() => localKeys({ ...jwk, alg: 'ML-DSA-44' })).toThrow(/cannot verify/)
  })

  it('an app signs its own tokens with it, and publishes no private part', async () => {
    const keys = signingKeys(pairOf('ML-DSA-65').privateKey.export({ format: 'jwk' }) as Jwk)
    expect(Object.keys(keys.jwks().keys[0]!).sort()).toEqual(['alg', 'kid', 'kty', 'pub', 'use'])
    const { issuer, audience } = options() as { issuer: string; audience: string }
    const own = tokenIssuer({ issuer, audience, keys, clientId: 'app' })
    const { access_token: token } = await own.issue({ userId: 'user-1' })
    const tokens = accessToken({ issuer, audience, keys })
    expect((await tokens.verify(token)).claims.sub).toBe('user-1')
  })
}

function ofOlderNode(): void {
  it('an algorithm that is asked for is told to be missing, and since when it is there', () => {
    for (const alg of names)
      expect(() => accessToken(options({ algorithms: [alg] }))).toThrow(
        `\`algorithms\` has ${alg}, which Node ${process.version} does not: 24.7 or later does.`,
      )
  })

  it('so is a key', () => {
    expect(() => localKeys({ kty: 'AKP', alg: 'ML-DSA-44', pub } as Jwk)).toThrow(/ML-DSA needs Node 24\.7/)
  })
}
