import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Provider from 'oidc-provider'
import * as client from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accessToken, discoveredKeys, dpop, requireScope } from '../src/index.js'
import { listen, type RunningApp } from './app.js'
import { testKey } from './tokens.js'

// A certified provider gives tokens to a certified client, which presents them here: nothing of it is ours but the API.

const RESOURCE = 'https://api.example'
let server: Server
let app: RunningApp
let issuer: string
const clients = {
  bearer: randomBytes(32).toString('base64url'),
  bound: randomBytes(32).toString('base64url'),
}

beforeAll(async () => {
  server = createServer((req, res) => void provider.callback()(req, res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateJwk } = testKey('ES256')
  const provider = new Provider(issuer, {
    clients: Object.entries(clients).map(([name, secret]) => ({
      client_id: name,
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256' as const,
      dpop_bound_access_tokens: name === 'bound',
    })),
    jwks: { keys: [privateJwk as never] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'orders:read',
          audience: RESOURCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
  const tokens = accessToken({
    issuer,
    audience: RESOURCE,
    algorithms: ['ES256'],
    keys: discoveredKeys(issuer, { allowHttp: true }),
    dpop: dpop({ mode: 'accepted', nonceSecrets: ['a secret of thirty-two characters'] }),
  })
  app = await listen(
    express().get('/orders', tokens, requireScope('orders:read'), (req, res) => {
      res.json({ client: req.auth?.claims.client_id, thumbprint: req.auth?.thumbprint })
    }),
  )
})
afterAll(async () => {
  await app?.close()
  server?.closeAllConnections()
  server?.close()
})

async function connected(name: keyof typeof clients): Promise<client.Configuration> {
  const insecure = { execute: [client.allowInsecureRequests] }
  return client.discovery(new URL(issuer), name, clients[name], undefined, insecure)
}

const grant = { resource: RESOURCE, scope: 'orders:read' }
const orders = (): URL => new URL(`${app.url}/orders`)

it('a bearer token of oidc-provider, fetched by openid-client, opens the API', async () => {
  const config = await connected('bearer')
  const { access_token: token, token_type: type } = await client.clientCredentialsGrant(config, grant)
  expect(type).toBe('bearer')
  const answer = await client.fetchProtectedResource(config, token, orders(), 'GET')
  expect(await answer.json()).toEqual({ client: 'bearer' })
})

it('a token that is bound to a key opens it with proofs of that key: nonces are asked for and learnt', async () => {
  const config = await connected('bound')
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const { access_token: token, token_type: type } = await client.clientCredentialsGrant(config, grant, {
    DPoP,
  })
  expect(type).toBe('dpop')
  const get = (handle: client.DPoPHandle | undefined) =>
    client.fetchProtectedResource(config, token, orders(), 'GET', undefined, undefined, {
      ...(handle === undefined ? {} : { DPoP: handle }),
    })
  for (let count = 0; count < 3; count++) {
    const answer = await get(DPoP)
    const thumbprint = await DPoP.calculateThumbprint()
    expect(await answer.json()).toEqual({ client: 'bound', thumbprint })
  }
  const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  for (const handle of [thief, undefined]) {
    await expect(get(handle)).rejects.toMatchObject({ status: 401 })
  }
})

it('a token for another API of the provider does not', async () => {
  const config = await connected('bearer')
  const { access_token: token } = await client.clientCredentialsGrant(config)
  await expect(client.fetchProtectedResource(config, token, orders(), 'GET')).rejects.toMatchObject({
    status: 401,
  })
})
