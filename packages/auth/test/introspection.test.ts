import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Provider from 'oidc-provider'
import * as client from 'openid-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AccessTokenOptions,
  type AccessTokens,
  accessToken,
  dpop,
  type IntrospectionMessage,
  type IntrospectionOptions,
  introspection,
  introspectionChannel,
  requireScope,
  signingKeys,
} from '../src/index.js'
import { listen, type RunningApp } from './app.js'
import { AUDIENCE, ISSUER, NOW, NOW_MS, testKey } from './tokens.js'

type Answer = Record<string, unknown>

/** What a provider says of a good token; a member set to `undefined` is left out. */
const active = (changes: Answer = {}): Answer => ({
  active: true,
  token_type: 'Bearer',
  iss: ISSUER,
  sub: 'user-1',
  aud: AUDIENCE,
  client_id: 'app',
  iat: NOW - 10,
  exp: NOW + 300,
  scope: 'read',
  ...changes,
})

describe('a provider that says what the test wants', () => {
  let provider: Server
  let endpoint: string
  let answer: (token: string, res: ServerResponse) => void
  let asked: { body: URLSearchParams; authorization: string | undefined }[] = []
  let elapsedMs = 0

  const says = (value: unknown, status = 200) => {
    answer = (_, res) => res.writeHead(status).end(typeof value === 'string' ? value : JSON.stringify(value))
  }
  const tokensOf = (
    changes: Partial<IntrospectionOptions> = {},
    options: Partial<AccessTokenOptions> = {},
  ): AccessTokens =>
    accessToken({
      issuer: ISSUER,
      audience: AUDIENCE,
      clock: () => NOW_MS + elapsedMs,
      introspection: introspection(endpoint, {
        clientId: 'api',
        clientSecret: 'secret',
        allowHttp: true,
        clock: () => elapsedMs,
        ...changes,
      }),
      ...options,
    })
  const outcomeOf = (tokens: AccessTokens, token = 'opaque'): Promise<string> =>
    tokens.verify(token).then(
      ({ claims }) => `accepted ${claims.sub}`,
      (error) => error.reason ?? error.code,
    )

  beforeAll(async () => {
    provider = createServer(async (req: IncomingMessage, res) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const body = new URLSearchParams(Buffer.concat(chunks).toString())
      asked.push({ body, authorization: req.headers.authorization })
      answer(body.get('token')!, res)
    }).listen(0, '127.0.0.1')
    await once(provider, 'listening')
    endpoint = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/introspect`
  })
  beforeEach(() => {
    asked = []
    elapsedMs = 0
    says(active())
  })
  afterAll(() => {
    provider.closeAllConnections()
    provider.close()
  })

  it('an active token is accepted, and asked for once for all who come', async () => {
    const tokens = tokensOf()
    const all = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(tokens)))
    expect(new Set(all)).toEqual(new Set(['accepted user-1']))
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
    expect(asked).toHaveLength(1)
    expect(asked[0]!.body.get('token')).toBe('opaque')
    expect((await tokens.verify('opaque')).scopes).toEqual(new Set(['read']))
  })

  it('what is remembered of an active token ends after `maxActiveMs`, and then a token that was taken back is refused', async () => {
    const tokens = tokensOf({ maxActiveMs: 60_000 })
    await outcomeOf(tokens)
    says({ active: false })
    elapsedMs = 59_999
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
    elapsedMs = 60_000
    expect(await outcomeOf(tokens)).toBe('inactive')
    expect(asked).toHaveLength(2)
  })

  it('and before that when the token itself ends', async () => {
    says(active({ exp: NOW + 5 }))
    const tokens = tokensOf({}, { clockToleranceMs: 0 })
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
    elapsedMs = 5_000
    expect(await outcomeOf(tokens)).toBe('expired')
  })

  it('a token that is not active is asked for again after `maxInactiveMs`', async () => {
    says({ active: false })
    const tokens = tokensOf({ maxInactiveMs: 5_000 })
    expect([await outcomeOf(tokens), await outcomeOf(tokens)]).toEqual(['inactive', 'inactive'])
    expect(asked).toHaveLength(1)
    says(active())
    elapsedMs = 4_999
    expect(await outcomeOf(tokens)).toBe('inactive')
    elapsedMs = 5_000
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
  })

  it('tokens that are not active push out none that is', async () => {
    const tokens = tokensOf({}, { maxRememberedTokens: 10 })
    await outcomeOf(tokens)
    says({ active: false })
    for (let count = 0; count < 50; count++)
      expect(await outcomeOf(tokens, `forged-${count}`)).toBe('inactive')
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
    expect(asked).toHaveLength(51)
  })

  const refused: [what: string, answer: Answer, reason: string][] = [
    ['a refresh token, of which no type is told', { token_type: undefined }, 'type'],
    ['another kind of token', { token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'type'],
    ['another issuer', { iss: 'https://other.example/' }, 'issuer'],
    ['another audience', { aud: 'https://other.example' }, 'audience'],
    ['no audience', { aud: undefined }, 'claims'],
    ['no end', { exp: undefined }, 'claims'],
    ['an end that is text', { exp: `${NOW + 300}` }, 'claims'],
    ['an end that is over', { exp: NOW - 11 }, 'expired'],
    ['a beginning that lies ahead', { nbf: NOW + 11 }, 'early'],
    ['no subject, and no client', { sub: undefined, client_id: undefined }, 'claims'],
    ['a scope that is a list', { scope: ['read'] }, 'claims'],
    ['a binding, without a proof', { cnf: { jkt: 'A'.repeat(43) } }, 'binding'],
    ['a binding by its type alone', { token_type: 'DPoP' }, 'claims'],
    ['a binding of another kind', { cnf: { kid: 'k1' } }, 'claims'],
  ]
  it.each(refused)('refused though active: %s', async (_, changes, reason) => {
    says(active(changes))
    expect(await outcomeOf(tokensOf())).toBe(reason)
  })

  it('what the provider need not say is filled in: itself, and the client as the subject of its own token', async () => {
    says(active({ iss: undefined, sub: undefined }))
    const { claims } = await tokensOf().verify('opaque')
    expect([claims.iss, claims.sub]).toEqual([ISSUER, 'app'])
  })

  it('`type: jwt` takes an answer without `token_type`', async () => {
    says(active({ token_type: undefined }))
    expect(await outcomeOf(tokensOf({}, { type: 'jwt' }))).toBe('accepted user-1')
  })

  const unusable: [what: string, value: unknown, status?: number][] = [
    ['another status', active(), 500],
    ['that it does not know this API', {}, 401],
    ['a redirect', {}, 307],
    ['no JSON', 'active'],
    ['a list', []],
    ['null', 'null'],
    ['no `active`', { sub: 'user-1' }],
    ['`active` as text', active({ active: 'true' })],
    ['too much', active({ more: 'x'.repeat(70_000) })],
  ]
  it.each(unusable)('a 503, never a 401, for an answer with %s', async (_, value, status) => {
    says(value, status)
    await expect(tokensOf().verify('opaque')).rejects.toMatchObject({
      status: 503,
      code: 'ERR_SCALE_INTROSPECTION_UNAVAILABLE',
      headers: { 'Retry-After': '1' },
      cause: { code: 'ERR_SCALE_INTROSPECTION_ANSWER' },
    })
  })

  it('a provider that is silent is waited for no longer than `timeoutMs`', async () => {
    answer = () => {}
    expect(await outcomeOf(tokensOf({ timeoutMs: 50 }))).toBe('ERR_SCALE_INTROSPECTION_UNAVAILABLE')
  })

  it('after a failure it is left alone, while known tokens are accepted; then nothing needs a restart', async () => {
    const tokens = tokensOf({ backoffMs: 1_000 })
    await outcomeOf(tokens)
    says('away', 500)
    for (let count = 0; count < 10; count++)
      expect(await outcomeOf(tokens, `t${count}`)).toBe('ERR_SCALE_INTROSPECTION_UNAVAILABLE')
    expect(asked).toHaveLength(2)
    expect(await outcomeOf(tokens)).toBe('accepted user-1')
    says(active())
    elapsedMs = 1_000
    expect(await outcomeOf(tokens, 't1')).toBe('accepted user-1')
    expect(asked).toHaveLength(3)
  })

  it('no more questions are under way at once than `maxConcurrent`', async () => {
    const open: ServerResponse[] = []
    answer = (_, res) => open.push(res)
    const tokens = tokensOf({ maxConcurrent: 3 })
    const outcomes = Promise.all(Array.from({ length: 9 }, (_, index) => outcomeOf(tokens, `t${index}`)))
    let most = 0
    for (let answered = 0; answered < 9; ) {
      await expect.poll(() => open.length).toBeGreaterThan(0)
      most = Math.max(most, open.length)
      open.shift()!.end(JSON.stringify(active()))
      answered++
    }
    expect(new Set(await outcomes)).toEqual(new Set(['accepted user-1']))
    expect(most).toBeLessThanOrEqual(3)
  })

  it('says on its channel what it asked and learnt, and no token', async () => {
    const heard: IntrospectionMessage[] = []
    const stop = introspectionChannel.subscribe((message) => void heard.push(message))
    try {
      const tokens = tokensOf()
      await outcomeOf(tokens, 'one')
      says({ active: false })
      await outcomeOf(tokens, 'two')
      says('', 500)
      await outcomeOf(tokens, 'three')
      expect(heard.map(({ url, outcome }) => [url, outcome])).toEqual([
        [endpoint, 'active'],
        [endpoint, 'inactive'],
        [endpoint, 'failed'],
      ])
    } finally {
      stop()
    }
  })

  it('says who it is in the header, each part encoded for forms', async () => {
    await outcomeOf(tokensOf({ clientId: 'an api:1', clientSecret: 'sécret +' }))
    const pair = Buffer.from(asked[0]!.authorization!.slice(6), 'base64').toString()
    expect(pair).toBe('an+api%3A1:s%C3%A9cret+%2B')
    expect(asked[0]!.body.has('client_secret')).toBe(false)
  })

  it('wrong options are told at once', () => {
    const keys = signingKeys(testKey('ES256').privateJwk)
    const wrong: [Partial<IntrospectionOptions>, RegExp][] = [
      [{ clientSecret: undefined as never }, /either `clientSecret`/],
      [{ clientKeys: keys }, /either `clientSecret`/],
      [{ clientAuthentication: 'private_key_jwt' }, /either `clientSecret`/],
      [{ allowHttp: false }, /must be an https: URL/],
    ]
    for (const [changes, message] of wrong) expect(() => tokensOf(changes)).toThrow(message)
    expect(() => tokensOf({}, { algorithms: ['ES256'] })).toThrow(/have no place/)
    expect(() => tokensOf({}, { keys })).toThrow(/have no place/)
    expect(() => accessToken({ issuer: ISSUER, audience: AUDIENCE })).toThrow(/`keys` is required/)
  })
})

// A certified provider gives opaque tokens to a certified client, and is asked about them.
describe('oidc-provider', () => {
  let server: Server
  let issuer: string
  let provider: Provider
  let app: RunningApp | undefined
  const secret = randomBytes(32).toString('base64url')
  const key = testKey('ES256', 'api-key')

  beforeAll(async () => {
    server = createServer((req, res) => void provider.callback()(req, res)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const machine = {
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256' as const,
    }
    const api = { ...machine, grant_types: [] }
    const { client_secret: _, ...keyed } = api
    provider = new Provider(issuer, {
      clients: [
        { ...machine, client_id: 'bearer' },
        { ...machine, client_id: 'bound', dpop_bound_access_tokens: true },
        { ...api, client_id: 'basic' },
        { ...api, client_id: 'post', token_endpoint_auth_method: 'client_secret_post' },
        {
          ...keyed,
          client_id: 'private_key_jwt',
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [key.jwk as never] },
        },
      ],
      jwks: { keys: [testKey('ES256').privateJwk as never] },
      cookies: { keys: [randomBytes(32).toString('base64url')] },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true },
        dPoP: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: 'orders:read',
            audience: AUDIENCE,
            accessTokenFormat: 'opaque',
          }),
        },
      },
    })
  })
  afterEach(async () => {
    await app?.close()
    app = undefined
  })
  afterAll(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function serving(options: IntrospectionOptions): Promise<URL> {
    const tokens = accessToken({
      issuer,
      audience: AUDIENCE,
      introspection: introspection(`${issuer}/token/introspection`, { allowHttp: true, ...options }),
      dpop: dpop({ mode: 'accepted' }),
    })
    app = await listen(
      express().get('/orders', tokens, requireScope('orders:read'), (req, res) => {
        res.json({ client: req.auth?.claims.client_id, thumbprint: req.auth?.thumbprint })
      }),
    )
    return new URL(`${app.url}/orders`)
  }
  const connected = (name: string): Promise<client.Configuration> =>
    client.discovery(new URL(issuer), name, secret, undefined, { execute: [client.allowInsecureRequests] })
  const grant = { resource: AUDIENCE, scope: 'orders:read' }

  it.each<IntrospectionOptions>([
    { clientId: 'basic', clientSecret: secret },
    { clientId: 'post', clientSecret: secret, clientAuthentication: 'post' },
    { clientId: 'private_key_jwt', clientKeys: signingKeys([{ key: key.privateJwk }]) },
  ])('is asked by $clientId about an opaque token, and again once it was revoked', async (options) => {
    const orders = await serving({ ...options, maxActiveMs: 0 })
    const config = await connected('bearer')
    const { access_token: token } = await client.clientCredentialsGrant(config, grant)
    expect(token).not.toContain('.')
    const answer = await client.fetchProtectedResource(config, token, orders, 'GET')
    expect(await answer.json()).toEqual({ client: 'bearer' })
    await client.tokenRevocation(config, token)
    await expect(client.fetchProtectedResource(config, token, orders, 'GET')).rejects.toMatchObject({
      status: 401,
    })
  })

  it('a token that is bound to a key opens the API with proofs of that key alone', async () => {
    const orders = await serving({ clientId: 'basic', clientSecret: secret })
    const config = await connected('bound')
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const { access_token: token } = await client.clientCredentialsGrant(config, grant, { DPoP })
    const get = (handle?: client.DPoPHandle) =>
      client.fetchProtectedResource(config, token, orders, 'GET', undefined, undefined, {
        ...(handle === undefined ? {} : { DPoP: handle }),
      })
    const answer = await get(DPoP)
    expect(await answer.json()).toEqual({ client: 'bound', thumbprint: await DPoP.calculateThumbprint() })
    const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    for (const handle of [thief, undefined]) {
      await expect(get(handle)).rejects.toMatchObject({ status: 401 })
    }
  })

  it('one that does not know this API makes a 503', async () => {
    const orders = await serving({ clientId: 'basic', clientSecret: 'wrong' })
    const config = await connected('bearer')
    const { access_token: token } = await client.clientCredentialsGrant(config, grant)
    const answer = await fetch(orders, { headers: { Authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(503)
  })
})
