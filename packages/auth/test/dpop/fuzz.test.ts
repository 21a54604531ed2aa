import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accessToken, dpop } from '../../src/index.js'
import { NOW_MS, options, part } from '../tokens.js'
import { BASE_URL, bound, clientKey, prove, publicPart, URL_OF_API } from './proofs.js'

const tokens = accessToken(
  options({ dpop: dpop({ clock: () => NOW_MS, baseUrl: BASE_URL, nonceSecrets: ['n'.repeat(32)] }) }),
)

/** The status that a request with this proof gets, and the challenge. */
function answerTo(proof: string): Promise<{ status: number; challenge: string }> {
  const req = new IncomingMessage(new Socket())
  req.method = 'GET'
  req.url = '/orders'
  req.headers = { authorization: `DPoP ${bound}`, dpop: proof }
  req.rawHeaders = ['Authorization', `DPoP ${bound}`, 'DPoP', proof]
  return new Promise((resolve) => {
    tokens(req, new ServerResponse(req), (error?: unknown) => {
      const { status = 500, headers } = (error ?? { status: 200 }) as { status?: number; headers?: object }
      resolve({
        status,
        challenge: (headers as Record<string, string> | undefined)?.['WWW-Authenticate'] ?? '',
      })
    })
  })
}

const good = await prove()
const anything = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constant(undefined))
const jwk = fc.record(
  {
    kty: fc.constantFrom('EC', 'OKP', 'RSA', 'oct', '__proto__', 1),
    crv: fc.constantFrom('P-256', 'Ed25519', 'P-999', null),
    x: fc.oneof(fc.constant(publicPart(clientKey).x), fc.base64String(), anything),
    y: fc.oneof(fc.constant(publicPart(clientKey).y), fc.base64String()),
    n: fc.base64String({ maxLength: 600 }),
    e: fc.constantFrom('AQAB', 'AA', '', 'AAAAAAAAAAAA'),
  },
  { requiredKeys: ['kty'] },
)
const head = fc.record(
  {
    typ: fc.constantFrom('dpop+jwt', 'JWT', 1),
    alg: fc.constantFrom('ES256', 'EdDSA', 'RS256', 'HS256', 'none', null),
    jwk: fc.oneof(jwk, fc.constant(publicPart(clientKey)), anything),
    crit: anything,
  },
  { requiredKeys: ['typ', 'alg'] },
)
const claims = fc.record(
  {
    jti: anything,
    htm: fc.constantFrom('GET', 'get', 1),
    htu: fc.oneof(fc.constant(URL_OF_API), fc.webUrl(), fc.string({ unit: 'binary' })),
    iat: fc.oneof(fc.double(), anything),
    ath: anything,
    nonce: fc.oneof(fc.string({ unit: 'binary' }), anything),
  },
  { requiredKeys: [] },
)
const signature = fc.constantFrom(good.split('.')[2]!, 'AAAA', '')
const made = fc
  .tuple(fc.oneof(head, anything), fc.oneof(claims, anything), signature)
  .map(([one, two, three]) => `${part(one ?? '')}.${part(two ?? '')}.${three}`)
const mangled = fc
  .tuple(fc.nat(good.length), fc.nat(8), fc.string({ unit: 'binary', maxLength: 8 }))
  .map(([at, gone, text]) => good.slice(0, at) + text + good.slice(at + gone))

it('5,000 malformed proofs: 401 with a challenge that can be sent, never more, and never through', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(made, mangled, fc.string({ unit: 'binary' })), async (proof) => {
      const { status, challenge } = await answerTo(proof)
      expect(status).toBe(401)
      expect(challenge).toMatch(/^DPoP error="(?:invalid_dpop_proof|use_dpop_nonce)", [\x20-\x7e]+$/)
    }),
    { numRuns: 5_000 },
  )
})

it('1,000 signed proofs that say anything: 401, never through', async () => {
  await fc.assert(
    fc.asyncProperty(claims, async (some) => {
      expect((await answerTo(await prove({ claims: some }))).status).toBe(401)
    }),
    { numRuns: 1_000 },
  )
})
