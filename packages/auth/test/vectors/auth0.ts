import { createHmac, createSecretKey } from 'node:crypto'
import { CompactSign } from 'jose'
import { credentialsOf } from '../../src/http/authorization.js'
import {
  type AccessTokenOptions,
  accessToken,
  localKeys,
  signingKeys,
  type TrustedIssuer,
} from '../../src/index.js'
import {
  AUDIENCE,
  type Changes,
  goodClaims,
  ISSUER,
  key,
  mint,
  NOW,
  options,
  part,
  testKey,
} from '../tokens.js'

// The cases of auth0/node-oauth2-jwt-bearer, under the names of its tests and stated with tokens of our own.

/** What comes out of it, and how that is found. */
export type Case = readonly [expected: string, run: () => Promise<string>]

const OTHER = 'https://other.example/'
const rsa = testKey('RS256', 'k1')
const second = testKey('ES256', 'k2')
const secret = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }

/** What becomes of a token: `accepted`, the reason, or `misconfigured` if it does not come to that. */
async function outcome(
  changes: Partial<AccessTokenOptions>,
  token: string | Promise<string>,
): Promise<string> {
  let tokens: ReturnType<typeof accessToken>
  try {
    tokens = accessToken(options(changes as never))
  } catch {
    return 'misconfigured'
  }
  return tokens.verify(await token).then(
    () => 'accepted',
    (error) => error.reason ?? error.code,
  )
}
const built = (make: () => unknown): Case => [
  'misconfigured',
  async () => {
    try {
      make()
      return 'built'
    } catch {
      return 'misconfigured'
    }
  },
]
const ends = (expected: string, token: Changes = {}, changes: Partial<AccessTokenOptions> = {}): Case => [
  expected,
  () => outcome(changes, mint(token)),
]
/** Several, all of which must end alike. */
const all = (...several: readonly Case[]): Case => [
  several[0]![0],
  async () => {
    for (const [expected, run] of several) {
      const found = await run()
      if (found !== expected) return found
    }
    return several[0]![0]
  },
]
const hmacSigned = (alg = 'HS256'): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(goodClaims())))
    .setProtectedHeader({ alg, typ: 'at+jwt' })
    .sign(createSecretKey(Buffer.from(secret.k, 'base64url')))
const withHeader = (header: string, signature: string): string =>
  `${header}.${part(goodClaims())}.${signature}`
const bySecret: Partial<AccessTokenOptions> = { algorithms: ['HS256'], keys: localKeys(secret) }
const { clock: _, ...first } = options()
const trusting = (other: Partial<TrustedIssuer> = {}): Partial<AccessTokenOptions> => ({
  otherIssuers: [{ ...first, issuer: OTHER, keys: localKeys(second.jwk), ...other }],
})
const ofOther: Changes = { claims: { iss: OTHER }, key: second }
const loose: Partial<AccessTokenOptions> = { type: 'jwt' }

const jwtVerifier: Record<string, Case> = {
  'should throw when configured with no jwksUri or issuerBaseURL and issuer': built(() =>
    accessToken({ audience: AUDIENCE } as never),
  ),
  'should throw when configured with no audience': built(() =>
    accessToken({ issuer: ISSUER, keys: localKeys(key.jwk) } as never),
  ),
  'should throw when configured with secret and no token signing alg': built(() =>
    // Not even by a wrong type: the algorithms of a secret that is long enough for one are known.
    localKeys({ kty: 'oct', k: 'AAAA' }),
  ),
  'should throw when configured with secret and invalid token signing alg': built(() =>
    accessToken(options({ algorithms: ['none' as never], keys: localKeys(secret) })),
  ),
  'should throw when configured with JWKS uri and invalid token signing alg': built(() =>
    accessToken(options({ algorithms: ['none' as never] })),
  ),
  'should verify the token': ends('accepted'),
  'should throw for unexpected issuer': ends('issuer', { claims: { iss: OTHER } }),
  'should throw for unexpected audience': ends('audience', { claims: { aud: 'https://other.example' } }),
  'should throw for an expired token': ends('expired', { claims: { exp: NOW - 10 } }),
  'should throw for invalid nbf': ends('early', { claims: { nbf: NOW + 1_999 } }),
  'should validate nbf claim with clockTolerance': ends(
    'accepted',
    { claims: { nbf: NOW + 199 } },
    { clockToleranceMs: 200_000 },
  ),
  'should throw unexpected token signing alg': [
    'algorithm',
    () =>
      outcome(
        {
          ...bySecret,
          keys: localKeys({ kty: 'oct', k: Buffer.alloc(64).toString('base64url') }),
          algorithms: ['HS384'],
        },
        hmacSigned(),
      ),
  ],
  'should fail with invalid_token error': ['malformed', async () => outcome({}, `CORRUPT-${await mint()}`)],
  'should throw at init when symmetric algorithm configured without secret': built(() =>
    accessToken(options({ algorithms: ['HS256'] })),
  ),
  'should throw at init when secret provided with asymmetric algorithm': built(() =>
    accessToken(options({ algorithms: ['RS256'], keys: localKeys(secret) })),
  ),
  'should not throw when valid symmetric config provided': [
    'accepted',
    () => outcome(bySecret, hmacSigned()),
  ],
  'should verify token with MCD static issuer (string)': ends('accepted'),
  'should verify token with MCD static issuers array': ends('accepted', ofOther, trusting()),
  'should verify token with MCD issuer config object (asymmetric)': ends('accepted', ofOther, trusting()),
  'should verify token with MCD symmetric issuer config': ['accepted', () => outcome(bySecret, hmacSigned())],
  'should throw when token issuer not in MCD allowed list': ends(
    'issuer',
    { claims: { iss: 'https://evil.example/' } },
    trusting(),
  ),
  'should throw when token missing iss claim in MCD mode': ends(
    'issuer',
    { claims: { iss: undefined } },
    trusting(),
  ),
  // RFC 7519 §4.1.1 compares the texts: another spelling is another issuer.
  'should normalize issuer URLs in MCD mode': ends(
    'issuer',
    { claims: { iss: ISSUER.toUpperCase() } },
    trusting(),
  ),
  'should normalize issuer with non-default HTTPS port': ends('issuer', {
    claims: { iss: 'https://issuer.example:443/' },
  }),
  'should normalize issuer without protocol by prepending https://': ends(
    'issuer',
    {},
    { issuer: 'issuer.example' },
  ),
  'should normalize issuer without protocol and with trailing slash': ends(
    'issuer',
    {},
    { issuer: 'issuer.example/' },
  ),
  'should handle malformed issuer URL gracefully in normalization': ends('issuer', {
    claims: { iss: 'not a url' },
  }),
  'should normalize issuer with non-default HTTP port': ends(
    'accepted',
    { claims: { iss: 'http://issuer.example:8080/' } },
    { issuer: 'http://issuer.example:8080/' },
  ),
  'should normalize issuer with pathname': ends(
    'accepted',
    { claims: { iss: 'https://issuer.example/tenant/v2.0' } },
    { issuer: 'https://issuer.example/tenant/v2.0' },
  ),
  'should verify token with MCD single issuer string (not array)': ends('accepted'),
  'should handle MCD with mixed string and config in static array': ends('accepted', ofOther, trusting()),
  'should throw when empty issuers array provided at runtime': built(() =>
    accessToken({ audience: AUDIENCE, otherIssuers: [] } as never),
  ),
  'should reject algorithm "none" early': all(
    ['algorithm', () => outcome({}, withHeader(part({ alg: 'none', typ: 'at+jwt' }), 'AA'))],
    ['algorithm', () => outcome(bySecret, withHeader(part({ alg: 'none', typ: 'at+jwt' }), 'AA'))],
  ),
  'should reject RS256 token when expecting symmetric algorithm with secret': [
    'algorithm',
    () => outcome(bySecret, mint({ key: rsa })),
  ],
  'should reject HS256 token when no secret configured': ['algorithm', () => outcome({}, hmacSigned())],
  'should reject symmetric algorithm (HS256) without secret configured': [
    'algorithm',
    () => outcome({}, hmacSigned()),
  ],
  'should throw InvalidTokenError (not raw SyntaxError) for malformed JWT header': all(
    ['malformed', () => outcome({}, '!!!notbase64!!!.payload.signature')],
    ['malformed', () => outcome({}, withHeader(part('{'), 'AAAA'))],
  ),
  'should reject token with missing alg header': [
    'malformed',
    () => outcome({}, withHeader(part({ typ: 'at+jwt' }), createHmac('sha256', 'x').digest('base64url'))),
  ],
  'should verify token using PEM SPKI public key': ends(
    'accepted',
    { key: rsa },
    { algorithms: ['RS256'], keys: localKeys(rsa.jwk) },
  ),
  'should reject a token signed with a different key when using PEM': ends('signature', {
    key: testKey('ES256', 'k1'),
  }),
  'should verify token using a single JWK public key': ends('accepted'),
  'should throw when a symmetric JWK (kty: "oct") is passed as publicKey': built(() =>
    accessToken(options({ keys: localKeys(secret) })),
  ),
  'should verify token using a JWK with alg field (no tokenSigningAlg needed)': [
    'accepted',
    async () => {
      const { algorithms: _, ...rest } = options()
      return (await accessToken(rest).verify(await mint())) && 'accepted'
    },
  ],
  'should verify token using an inline JWK Set': ends(
    'accepted',
    {},
    { keys: localKeys({ keys: [key.jwk, second.jwk] }) },
  ),
  'should reject a token when the kid does not match any key in the inline JWK Set': ends('key', {
    header: { kid: 'k9' },
  }),
  'should verify token in MCD mode using per-issuer JWK publicKey': ends('accepted', ofOther, trusting()),
  'should verify token in MCD mode using per-issuer JWK Set publicKey': ends(
    'accepted',
    ofOther,
    trusting({ keys: localKeys({ keys: [second.jwk, testKey('ES256', 'k3').jwk] }) }),
  ),
  'should support mixed MCD issuers: one with publicKey, one with JWKS discovery': all(
    ends('accepted', ofOther, trusting({ keys: signingKeys(second.privateJwk) })),
    ends('accepted', {}, trusting()),
    // A key of one of them is nothing to the other.
    ends('key', { claims: { iss: OTHER } }, trusting()),
  ),
}

const validate: Record<string, Case> = {
  'should validate a jwt with default validators': ends('accepted', { header: { typ: 'JWT' } }, loose),
  'should throw for invalid alg header': all(
    ...['none', 'None', 'NONE', 'HS256'].map(
      (alg): Case => ['algorithm', () => outcome({}, withHeader(part({ alg, typ: 'at+jwt' }), 'AA'))],
    ),
  ),
  'should throw for invalid typ in strict mode': ends('type', { header: { typ: 'JWT' } }),
  'should validate typ in strict mode': all(
    ...['at+jwt', 'AT+JWT', 'application/at+jwt'].map((typ) => ends('accepted', { header: { typ } })),
  ),
  'should throw for missing claims in strict mode': all(
    ...['sub', 'client_id', 'jti'].map((name) => ends('claims', { claims: { [name]: undefined } })),
  ),
  'should throw for invalid claims in strict mode': all(
    ...['sub', 'client_id', 'jti'].map((name) => ends('claims', { claims: { [name]: 1 } })),
  ),
  'should throw for issuer mismatch': ends('issuer', { claims: { iss: OTHER } }),
  'should throw for audience mismatch': all(
    ends('audience', { claims: { aud: 'foo' } }),
    ends('audience', { claims: { aud: ['foo', 'bar'] } }),
    ends('audience', {}, { audience: ['foo', 'bar'] }),
  ),
  'should validate aud claim': all(
    ends('accepted', { claims: { aud: 'foo' } }, { audience: ['foo'] }),
    ends('accepted', { claims: { aud: ['foo', 'bar'] } }, { audience: ['foo', 'bar', 'baz'] }),
    ends('accepted', { claims: { aud: ['foo', 'bar', 'baz'] } }, { audience: ['foo', 'bar'] }),
  ),
  'should throw for invalid exp claim': all(
    [
      'refused',
      async () =>
        (await outcome({ clockToleranceMs: 0 }, mint({ claims: { exp: NOW - 50 } }))) === 'expired'
          ? 'refused'
          : 'accepted',
    ],
    [
      'refused',
      async () =>
        (await outcome({}, mint({ claims: { exp: 'foo' } }))) === 'claims' ? 'refused' : 'accepted',
    ],
  ),
  'should validate exp claim with clockTolerance': ends(
    'accepted',
    { claims: { exp: NOW - 50 } },
    { clockToleranceMs: 75_000 },
  ),
  'should throw for invalid iat claim': all(
    ends('claims', { claims: { iat: undefined } }),
    ends('claims', { claims: { iat: 'foo' } }),
    [
      'claims',
      async () =>
        (await outcome({}, mint({ claims: { iat: NOW + 100 } }))) === 'early' ? 'claims' : 'accepted',
    ],
  ),
  'should validate iat claim': ends('accepted', { claims: { iat: NOW - 100 } }),
}

const read =
  (authorization: string | undefined): Case[1] =>
  async () => {
    const headersDistinct = authorization === undefined ? {} : { authorization: [authorization] }
    const raw = authorization === undefined ? [] : ['Authorization', authorization]
    const found = credentialsOf(
      { headers: { authorization }, headersDistinct, rawHeaders: raw } as never,
      false,
    )
    return typeof found === 'string' ? found : found.token
  }

const getToken: Record<string, Case> = {
  'should fail when there are no tokens': ['none', read(undefined)],
  'should get the token from the header': ['token', read('Bearer token')],
  'should do case insensitive check for header': ['token', read('bearer token')],
  'should fail for malformed header': ['none', read('foo token')],
  'should fail for empty header': ['malformed', read('Bearer ')],
}

/** By file and name. */
export const cases: Record<string, Record<string, Case>> = {
  'access-token-jwt/test/jwt-verifier.test.ts': jwtVerifier,
  'access-token-jwt/test/validate.test.ts': validate,
  'oauth2-bearer/test/get-token.test.ts': getToken,
}

/** Tests of things that there are none of here, and why; by a part of their names. */
export const elsewhere: readonly (readonly [name: RegExp, why: string])[] = [
  [
    /dynamic resolver|real request context/,
    'issuers are named at the start, none is looked up for a request',
  ],
  [
    /query|payload for|request payload|more than one method/,
    'a token in a query or a form is never read (OAuth 2.1)',
  ],
  [
    /mcd (and|is)|both mcd|combined with mcd|both provided|are both|has both|secret provided without/,
    'one option of theirs excludes another',
  ],
  [/cach|ttl|maxEntries|max age/i, 'their cache of keys; ours: test/keys/remote.test.ts'],
  [
    /jwks_uri|jwksUri|JWKS URI|discovery|discovered|network request/i,
    'their discovery; ours: test/keys/discovery.test.ts',
  ],
  [/PEM/, 'keys are JWKs here'],
  [
    /userinfo|query parameters in issuer|fragments|HTTP in|multiple security/,
    'addresses of providers: test/keys/remote.test.ts',
  ],
  [/string-only issuer|not validate dynamic|custom validators|disable alg/, 'options of theirs'],
]
