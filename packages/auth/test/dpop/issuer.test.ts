import express from 'express'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessToken, dpop, signingKeys, tokenIssuer } from '../../src/index.js'
import { listen, type RunningApp } from '../app.js'
import { useRedis } from '../redis.js'
import { ISSUER, testKey } from '../tokens.js'
import { clientThumbprint } from './proofs.js'

// Tokens that are bound to a key from the sign-in on, asked for by oauth4webapi: an issuer and an API in one app.

const redis = useRedis()
const keys = signingKeys(testKey('Ed25519').privateJwk)
const client: oauth.Client = { client_id: 'app' }
const insecure = { [oauth.allowInsecureRequests]: true } as const
let app: RunningApp
let server: oauth.AuthorizationServer

beforeAll(async () => {
  const who = { issuer: ISSUER, audience: 'api', keys }
  const proofs = dpop({ redis: redis.client, nonceSecrets: ['a secret of thirty-two characters'] })
  const issuer = tokenIssuer({ ...who, redis: redis.client })
  const tokens = accessToken({ ...who, dpop: dpop({ redis: redis.client, mode: 'accepted' }) })
  app = await listen(
    express()
      .use(express.urlencoded())
      .post('/token', async (req, res) => {
        const clientKey = await proofs.clientKey(req, res)
        const { grant_type: grant, refresh_token: token, username } = req.body
        const pair =
          grant === 'refresh_token'
            ? await issuer.refresh(token, { clientKey })
            : await issuer.issue({ userId: username, clientKey })
        res.set('Cache-Control', 'no-store').json(pair)
      })
      .post('/bearer', async (req, res) => {
        res.json(
          await (req.body.refresh_token === undefined
            ? issuer.issue({ userId: 'bearer' })
            : issuer.refresh(req.body.refresh_token)),
        )
      })
      .get('/orders', tokens, (req, res) => void res.json(req.auth?.verified)),
  )
  server = { issuer: app.url, token_endpoint: `${app.url}/token` }
})
afterAll(() => app?.close())

/** A client with a key of its own. */
async function newClient() {
  const pair = await oauth.generateKeyPair('ES256')
  const handle = oauth.DPoP(client, pair)
  /** Asks, and once more if a nonce is asked for. */
  async function ask(request: () => Promise<Response>): Promise<oauth.TokenEndpointResponse> {
    const read = async () => oauth.processRefreshTokenResponse(server, client, await request())
    try {
      return await read()
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      return await read()
    }
  }
  const options = { DPoP: handle, ...insecure }
  const signIn = () =>
    ask(() =>
      oauth.genericTokenEndpointRequest(
        server,
        client,
        oauth.None(),
        'password',
        { username: 'ann' },
        options,
      ),
    )
  const refresh = (token: string) =>
    ask(() => oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, options))
  const get = (token: string, DPoP: typeof handle | undefined = handle) =>
    oauth.protectedResourceRequest(token, 'GET', new URL(`${app.url}/orders`), undefined, undefined, {
      ...insecure,
      ...(DPoP === undefined ? {} : { DPoP }),
    })
  return { signIn, refresh, get }
}

describe('tokens of a sign-in with a proof', () => {
  it('are bound to its key, at the sign-in and at each refresh, and open the API with it', async () => {
    const { signIn, refresh, get } = await newClient()
    let pair = await signIn()
    for (let round = 0; round < 3; round++) {
      expect(pair.token_type).toBe('dpop')
      const response = await get(pair.access_token)
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({
        sub: 'ann',
        cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) },
      })
      expect(
        (await app.send('GET', '/orders', { authorization: `Bearer ${pair.access_token}` })).status,
      ).toBe(401)
      pair = await refresh(pair.refresh_token!)
    }
  })

  it('open nothing for who has copied them: neither the API nor an exchange, and the owner goes on', async () => {
    const [owner, thief] = [await newClient(), await newClient()]
    const pair = await owner.signIn()
    await expect(thief.get(pair.access_token)).rejects.toMatchObject({ status: 401 })
    await expect(thief.refresh(pair.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' })
    const next = await owner.refresh(pair.refresh_token!)
    // Also not one that was replaced: somebody has it, and may not end the family by it.
    await expect(thief.refresh(pair.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect((await owner.get((await owner.refresh(next.refresh_token!)).access_token)).status).toBe(200)
  })

  it('are refused for who proves nothing', async () => {
    const { signIn, refresh } = await newClient()
    const pair = await signIn()
    const body = new URLSearchParams({ refresh_token: pair.refresh_token! })
    const answer = await fetch(`${app.url}/bearer`, { method: 'POST', body })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'ERR_SCALE_TOKEN_GRANT' })
    expect((await refresh(pair.refresh_token!)).token_type).toBe('dpop')
  })
})

describe('a request for tokens', () => {
  it('without a proof is a 400 that says so, and with an old proof asks for a nonce', async () => {
    const body = new URLSearchParams({ username: 'ann' })
    const answer = await fetch(`${app.url}/token`, { method: 'POST', body })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('www-authenticate')).toBe(null)
    expect(await answer.json()).toMatchObject({ code: 'ERR_SCALE_DPOP_PROOF' })
  })

  it('where proofs are accepted and none came is one for bearer tokens', async () => {
    const proofs = dpop({ redis: redis.client, mode: 'accepted' })
    const req = { headers: {} } as never
    expect(await proofs.clientKey(req, {} as never)).toBe(undefined)
  })
})

it('a key that is no thumbprint is a fault of the program', async () => {
  const issuer = tokenIssuer({ issuer: ISSUER, audience: 'api', keys, redis: redis.client })
  const { refresh_token } = await issuer.issue({ userId: 'kim', clientKey: clientThumbprint })
  for (const clientKey of ['', 'short', 7 as never]) {
    await expect(issuer.issue({ userId: 'kim', clientKey })).rejects.toThrow(/clientKey/)
    await expect(issuer.refresh(refresh_token, { clientKey })).rejects.toThrow(/clientKey/)
  }
})
