import { describe, expect, it } from 'vitest'
import { type AccessTokenOptions, accessToken, type InvalidToken, localKeys } from '../src/index.js'
import { mint, NOW, NOW_MS, testKey } from './tokens.js'

// What providers really send: header and claims of their access tokens as their documentation and their users show them, with
// other names. The options are those of the table in docs/concepts/tokens.md.

interface Provider {
  name: string
  options: Omit<AccessTokenOptions, 'keys'>
  header: Record<string, unknown>
  claims: Record<string, unknown>
  /** Another token of the same provider, which is not for this API. */
  other: { name: string; header?: Record<string, unknown>; claims: Record<string, unknown>; reason: string }
}

const times = { iat: NOW - 10, exp: NOW + 300 }
const [GUID, GUID2] = ['9188040d-6c67-4c5b-b112-36a304b66dad', '6e74172b-be56-4843-9ff4-e66a39bb12e3']

const providers: Provider[] = [
  {
    name: 'Auth0',
    options: {
      issuer: 'https://acme.eu.auth0.com/',
      audience: 'https://api.acme.example',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: {
      iss: 'https://acme.eu.auth0.com/',
      sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
      aud: ['https://api.acme.example', 'https://acme.eu.auth0.com/userinfo'],
      azp: 'my_client_id',
      scope: 'openid profile read:orders',
      permissions: ['read:orders'],
    },
    other: {
      name: 'an ID token',
      claims: { aud: 'my_client_id', azp: undefined, scope: undefined },
      reason: 'audience',
    },
  },
  {
    name: 'Okta',
    options: {
      issuer: 'https://acme.okta.com/oauth2/default',
      audience: 'api://default',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: undefined, kid: 'k' },
    claims: {
      ver: 1,
      jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
      iss: 'https://acme.okta.com/oauth2/default',
      aud: 'api://default',
      cid: 'nmdP1fcyvdVO11AL7ECm',
      uid: '00ujmkLgagxeRrAg20g3',
      scp: ['openid', 'orders'],
      auth_time: NOW - 100,
      sub: 'ann@acme.example',
    },
    other: { name: 'an ID token', claims: { aud: 'nmdP1fcyvdVO11AL7ECm' }, reason: 'audience' },
  },
  {
    name: 'Microsoft Entra ID',
    options: {
      issuer: `https://login.microsoftonline.com/${GUID}/v2.0`,
      audience: GUID2!,
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: {
      aud: GUID2,
      iss: `https://login.microsoftonline.com/${GUID}/v2.0`,
      nbf: NOW - 10,
      aio: 'AXQAi/8TAAAA',
      azp: GUID,
      azpacr: '0',
      oid: GUID,
      rh: 'I',
      scp: 'access_as_user',
      sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
      tid: GUID,
      uti: 'fqiBqXLPj0eQa82S-IYFAA',
      ver: '2.0',
    },
    other: {
      name: 'a token of another tenant',
      claims: { iss: `https://login.microsoftonline.com/${GUID2}/v2.0` },
      reason: 'issuer',
    },
  },
  {
    name: 'Amazon Cognito',
    options: {
      issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example',
      audience: false,
      clientId: '1example23456789',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: undefined, kid: 'k' },
    claims: {
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      'cognito:groups': ['readers'],
      iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example',
      version: 2,
      client_id: '1example23456789',
      origin_jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      token_use: 'access',
      scope: 'phone openid profile email',
      auth_time: NOW - 100,
      jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      username: 'ann',
    },
    other: {
      name: 'an ID token',
      claims: { aud: '1example23456789', client_id: undefined, token_use: 'id' },
      reason: 'audience',
    },
  },
  {
    name: 'Clerk',
    options: {
      issuer: 'https://clerk.acme.example',
      audience: false,
      clientId: 'https://app.acme.example',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: 'JWT', kid: 'k', cat: 'cl_B7d4PD111AAA' },
    claims: {
      azp: 'https://app.acme.example',
      fva: [0, -1],
      iss: 'https://clerk.acme.example',
      nbf: NOW - 20,
      sid: 'sess_123',
      sts: 'active',
      sub: 'user_123',
      v: 2,
    },
    other: { name: 'a token of another origin', claims: { azp: 'https://evil.example' }, reason: 'client' },
  },
  {
    name: 'Keycloak',
    options: {
      issuer: 'https://id.acme.example/realms/acme',
      audience: 'orders-api',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: {
      auth_time: NOW - 100,
      jti: 'onrtac:4a1a1f7e-8b0a-4e7e-9d0e-1d8bca1f9a55',
      iss: 'https://id.acme.example/realms/acme',
      aud: ['orders-api', 'account'],
      sub: 'f1d1b8b2-1e2d-4f59-8a79-0b6f1b6f7f0a',
      typ: 'Bearer',
      azp: 'web',
      sid: '7c1f3f7a-3c3f-4b60-9b8f-1a2b3c4d5e6f',
      acr: '1',
      realm_access: { roles: ['offline_access'] },
      scope: 'openid email profile',
    },
    other: { name: 'a token for the account console', claims: { aud: 'account' }, reason: 'audience' },
  },
  {
    name: 'Firebase',
    options: {
      issuer: 'https://securetoken.google.com/acme-1',
      audience: 'acme-1',
      algorithms: ['RS256'],
      type: 'jwt',
    },
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: {
      iss: 'https://securetoken.google.com/acme-1',
      aud: 'acme-1',
      auth_time: NOW - 100,
      user_id: 'x1',
      sub: 'x1',
      firebase: { identities: {}, sign_in_provider: 'password' },
    },
    other: {
      name: 'a session cookie',
      claims: { iss: 'https://session.firebase.google.com/acme-1' },
      reason: 'issuer',
    },
  },
  {
    name: 'Supabase',
    options: {
      issuer: 'https://abc.supabase.co/auth/v1',
      audience: 'authenticated',
      algorithms: ['ES256'],
      type: 'jwt',
    },
    header: { alg: 'ES256', typ: 'JWT', kid: 'k' },
    claims: {
      iss: 'https://abc.supabase.co/auth/v1',
      sub: '4d3f2a1b-0000-4000-8000-000000000000',
      aud: 'authenticated',
      email: 'ann@acme.example',
      app_metadata: { provider: 'email' },
      role: 'authenticated',
      aal: 'aal1',
      session_id: '4d3f2a1b-0000-4000-8000-000000000001',
      is_anonymous: false,
    },
    other: {
      name: 'the anonymous key',
      claims: { aud: undefined, sub: undefined, role: 'anon' },
      reason: 'claims',
    },
  },
]

/** Without the claims of the tests' own tokens. */
const nothing = {
  iss: undefined,
  sub: undefined,
  aud: undefined,
  client_id: undefined,
  jti: undefined,
  scope: undefined,
}

describe.each(providers)('$name', ({ options, header, claims, other }) => {
  const key = testKey(options.algorithms![0]!, 'k')
  const tokens = accessToken({ ...options, keys: localKeys(key.jwk), clock: () => NOW_MS })
  const outcomeOf = async (changes: Record<string, unknown> = {}): Promise<string> =>
    tokens.verify(await mint({ key, header, claims: { ...nothing, ...times, ...claims, ...changes } })).then(
      () => 'accepted',
      (error: InvalidToken) => error.reason,
    )

  it('its access tokens pass', async () => {
    expect(await outcomeOf()).toBe('accepted')
    expect(await outcomeOf({ exp: NOW - 100 })).toBe('expired')
  })

  it(`not ${other.name}`, async () => {
    expect(await outcomeOf(other.claims)).toBe(other.reason)
  })
})
