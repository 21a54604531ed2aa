import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Algorithm, accessToken, type InvalidToken, type Jwk, localKeys } from '../src/index.js'
import { judged } from './vectors/judged.js'

// The JWS of RFC 7515, appendix A, and of RFC 7520, section 4. The claims of some are no access token's, the payloads of the
// others no claims at all: so each is verified by the same three steps that the middleware takes, and then by the whole.

interface Vector {
  place: string
  algorithm: Algorithm
  key: Jwk
}

const { verified, refused } = JSON.parse(
  readFileSync(new URL('vectors/jws.json', import.meta.url), 'utf8'),
) as { verified: (Vector & { jws: string })[]; refused: (Vector & { text: string })[] }

/** Why the whole refuses it: none of them is an access token. */
function reasonOf({ algorithm, key }: Vector, text: string): Promise<string> {
  const trust = { issuer: 'joe', audience: 'any', algorithms: [algorithm], keys: localKeys(key) }
  return accessToken({ ...trust, type: 'jwt' })
    .verify(text)
    .then(
      () => 'accepted',
      (error: InvalidToken) => error.reason,
    )
}

describe.each(verified)('$place ($algorithm)', (vector) => {
  const { jws } = vector
  const parts = jws.split('.') as [string, string, string]

  it('is verified', async () => {
    expect(await judged(vector.key, jws)).toBe('good')
  })

  it('fails with any character changed', async () => {
    const passed: number[] = []
    for (let at = 0; at < jws.length; at++) {
      if (jws[at] === '.') continue
      const changed = jws.slice(0, at) + (jws[at] === 'A' ? 'B' : 'A') + jws.slice(at + 1)
      if ((await judged(vector.key, changed)) === 'good') passed.push(at)
    }
    expect(passed).toEqual([])
  })

  it('fails in any other spelling', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const padded = parts.map((part) => part.padEnd(Math.ceil(part.length / 4) * 4, '='))
    const respelled = (part: string): string =>
      part.length % 4 === 0 ? part : part.slice(0, -1) + letters[letters.indexOf(part.at(-1)!) + 1]
    const others = [
      padded.join('.'),
      jws.replaceAll('-', '+').replaceAll('_', '/'),
      parts.map(respelled).join('.'),
      ...[` ${jws}`, `${jws} `, `${jws}\n`, `${jws}.`, `${jws}.AA`, `.${jws}`, parts.slice(0, 2).join('.')],
      parts.join('.\n'),
      JSON.stringify({ protected: parts[0], payload: parts[1], signature: parts[2] }),
      JSON.stringify({ payload: parts[1], signatures: [{ protected: parts[0], signature: parts[2] }] }),
    ].filter((text) => text !== jws)
    expect(others.length).toBeGreaterThan(10)
    for (const text of others) expect([await reasonOf(vector, text), text]).toEqual(['malformed', text])
  })
})

// The tolerant decoder that everybody uses takes the second spellings for the same: so the test above is no empty one.
it('a second spelling has the same bytes', () => {
  const [first] = verified
  const signature = first!.jws.split('.')[2]!
  expect(Buffer.from(`${signature.slice(0, -1)}l`, 'base64url')).toEqual(Buffer.from(signature, 'base64url'))
})

it.each(verified.filter(({ place }) => /7515 A\.[123]/.test(place)))(
  '$place: the whole gets as far as the claims, and no further once it is changed',
  async (vector) => {
    expect(await reasonOf(vector, vector.jws)).toBe('claims')
    const at = vector.jws.lastIndexOf('.') + 5
    const changed = vector.jws.slice(0, at) + (vector.jws[at] === 'A' ? 'B' : 'A') + vector.jws.slice(at + 1)
    expect(await reasonOf(vector, changed)).toBe('signature')
  },
)

it.each(refused)('$place: refused for its form', async (vector) => {
  expect(await judged(vector.key, vector.text)).toBe('form')
  expect(await reasonOf(vector, vector.text)).toBe('malformed')
})
