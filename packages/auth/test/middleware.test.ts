import { request } from 'node:http'
import { compose } from '@scale/core'
import type express from 'express'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  type AccessTokenClaims,
  type Auth,
  accessToken,
  type KeySet,
  localKeys,
  requireAuthTime,
  requireClaims,
  requireScope,
} from '../src/index.js'
import { type Answer, expressVersions, listen, type RunningApp } from './app.js'
import { type Changes, goodClaims, key, mint, NOW, NOW_MS, options } from './tokens.js'

const METADATA = 'https://api.example/.well-known/oauth-protected-resource'
const clock = (): number => NOW_MS

const broken: KeySet = {
  find: () => {
    throw new Error('a bug')
  },
}

function appOf(make: () => express.Express): express.Express {
  const app = make()
  const tokens = accessToken(options({ realm: 'api', resourceMetadata: METADATA }))
  const show: express.RequestHandler = (req, res) => {
    res.json(req.auth === undefined ? null : req.auth.claims)
  }
  app.get('/me', tokens, show)
  app.get('/plain', accessToken(options()), show)
  app.get('/optional', accessToken(options({ optional: true })), show)
  app.get('/optional/write', accessToken(options({ optional: true })), requireScope('write'), show)
  app.get('/write', tokens, requireScope('read', 'write'), show)
  app.get('/composed', compose(tokens, requireScope('write')), show)
  app.get(
    '/admin',
    tokens,
    requireClaims((claims) => claims.role === 'admin'),
    show,
  )
  app.get('/recent', tokens, requireAuthTime({ maxAgeMs: 300_000, clock }), show)
  app.get('/strong', tokens, requireAuthTime({ acrValues: ['gold', 'silver'] }), show)
  app.get('/forgotten', requireScope('write'), show)
  app.get('/broken', accessToken(options({ keys: broken })), show)
  return app
}

describe.each(expressVersions)('%s', (_, make) => {
  let app: RunningApp
  beforeAll(async () => {
    app = await listen(appOf(make))
  })
  afterAll(() => app?.close())

  const get = async (path: string, changes?: Changes): Promise<Answer> =>
    app.send('GET', path, changes && { authorization: `Bearer ${await mint(changes)}` })
  const challengeOf = ({ headers }: Answer): string | null => headers.get('www-authenticate')

  it('lets a good token pass, whatever the case of the scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const { status, body } = await app.send('GET', '/me', { authorization: `${scheme} ${await mint()}` })
      expect([status, body]).toEqual([200, goodClaims()])
    }
  })

  it('asks for a token where there is none, without an error code', async () => {
    for (const headers of [{}, { authorization: 'Basic dTpw' }, { authorization: 'Bearers x' }]) {
      const answer = await app.send('GET', '/me', headers as Record<string, string>)
      expect(answer.status).toBe(401)
      expect(answer.body).toMatchObject({ code: 'ERR_SCALE_TOKEN_REQUIRED' })
      expect(challengeOf(answer)).toBe(`Bearer realm="api", resource_metadata="${METADATA}"`)
    }
    expect(challengeOf(await app.send('GET', '/plain'))).toBe('Bearer')
  })

  it('answers a header that cannot be read with 400', async () => {
    const good = await mint()
    for (const authorization of [
      'Bearer',
      'Bearer ',
      `Bearer ${good} ${good}`,
      `Bearer ${good}, x`,
      'Bearer =',
    ]) {
      const answer = await app.send('GET', '/me', { authorization })
      expect([answer.status, challengeOf(answer)]).toEqual([
        400,
        `Bearer realm="api", error="invalid_request", resource_metadata="${METADATA}"`,
      ])
    }
  })

  it('answers two Authorization headers with 400', async () => {
    const token = await mint()
    const status = await new Promise((resolve, reject) => {
      const headers = ['Host', 'x', 'Authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`]
      request(`${app.url}/me`, { headers }, (res) => resolve(res.resume().statusCode))
        .on('error', reject)
        .end()
    })
    expect(status).toBe(400)
  })

  it('says why a token is refused, and nothing of the token', async () => {
    const answer = await get('/me', { claims: { exp: NOW - 60, sub: 'secret-user' } })
    expect(answer.status).toBe(401)
    expect(challengeOf(answer)).toBe(
      `Bearer realm="api", error="invalid_token", error_description="The access token expired", resource_metadata="${METADATA}"`,
    )
    expect(JSON.stringify(answer.body)).not.toContain('secret-user')
  })

  it('never reads a token from the query string, or from a form', async () => {
    const token = await mint()
    expect((await app.send('GET', `/me?access_token=${token}`)).status).toBe(401)
    expect((await app.send('GET', `/optional?access_token=${token}`)).body).toBe(null)
  })

  it('optional: goes on without a token, and refuses one that is not good', async () => {
    expect([(await get('/optional')).status, (await get('/optional')).body]).toEqual([200, null])
    expect((await get('/optional', {})).body).toEqual(goodClaims())
    expect((await get('/optional', { claims: { exp: NOW - 60 } })).status).toBe(401)
    expect((await app.send('GET', '/optional', { authorization: 'Bearer' })).status).toBe(400)
    expect((await get('/optional/write')).status).toBe(401)
    expect(challengeOf(await get('/optional/write'))).toBe('Bearer')
  })

  it('names the scopes that are missing something (403)', async () => {
    for (const path of ['/write', '/composed']) {
      expect((await get(path, {})).status).toBe(200)
      const answer = await get(path, { claims: { scope: 'read writes' } })
      expect(answer.status).toBe(403)
      expect(challengeOf(answer)).toMatch(
        /error="insufficient_scope", scope="(read )?write", resource_metadata/,
      )
    }
  })

  it('holds claims against a test (403)', async () => {
    expect((await get('/admin', { claims: { role: 'admin' } })).status).toBe(200)
    expect((await get('/admin', {})).status).toBe(403)
  })

  it('asks for a newer or stronger authentication (RFC 9470)', async () => {
    expect((await get('/recent', { claims: { auth_time: NOW - 300 } })).status).toBe(200)
    for (const claims of [{ auth_time: NOW - 301 }, {}]) {
      const answer = await get('/recent', { claims })
      expect(answer.status).toBe(401)
      expect(challengeOf(answer)).toContain('error="insufficient_user_authentication", max_age="300"')
    }
    expect((await get('/strong', { claims: { acr: 'silver' } })).status).toBe(200)
    const answer = await get('/strong', { claims: { acr: 'bronze' } })
    expect(challengeOf(answer)).toContain(
      'error="insufficient_user_authentication", acr_values="gold silver"',
    )
  })

  it('says when a guard stands alone, and hides no bug', async () => {
    expect(await get('/forgotten', {})).toMatchObject({
      status: 500,
      body: { code: 'ERR_SCALE_AUTH_MISUSE' },
    })
    expect((await get('/broken', {})).status).toBe(500)
  })

  it('every challenge is read by an independent client', async () => {
    const cases: [path: string, changes: Changes | string, wanted: Record<string, string>][] = [
      ['/me', 'x', { error: 'invalid_token', error_description: 'The access token is malformed' }],
      [
        '/me',
        { claims: { exp: 1 } },
        { error: 'invalid_token', error_description: 'The access token expired' },
      ],
      ['/write', { claims: { scope: '' } }, { error: 'insufficient_scope', scope: 'read write' }],
      ['/admin', {}, { error: 'insufficient_scope' }],
      ['/recent', {}, { error: 'insufficient_user_authentication', max_age: '300' }],
      ['/strong', {}, { error: 'insufficient_user_authentication', acr_values: 'gold silver' }],
    ]
    for (const [path, changes, wanted] of cases) {
      const token = typeof changes === 'string' ? changes : await mint(changes)
      const url = new URL(app.url + path)
      const failure = await oauth
        .protectedResourceRequest(token, 'GET', url, undefined, null, { [oauth.allowInsecureRequests]: true })
        .catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
      const { cause } = failure as oauth.WWWAuthenticateChallengeError
      expect(cause).toMatchObject([
        { scheme: 'bearer', parameters: { realm: 'api', resource_metadata: METADATA, ...wanted } },
      ])
    }
  })
})

it('claims have the type that the schema gives them', () => {
  const plain = accessToken(options())
  expectTypeOf(plain.get).returns.toEqualTypeOf<Auth<AccessTokenClaims>>()
  const { clock: _, claims: __, ...rest } = options()
  const typed = accessToken({ ...rest, claims: z.object({ sub: z.string(), tenant: z.number() }) })
  expectTypeOf(typed.get).returns.toEqualTypeOf<Auth<{ sub: string; tenant: number }>>()
})

it('what a schema makes of the claims is in req.auth, what came is beside it', async () => {
  const claims = z.object({ sub: z.string().transform((sub) => sub.toUpperCase()) })
  const { clock: _, claims: __, ...rest } = options()
  const auth = await accessToken({ ...rest, clock, keys: localKeys(key.jwk), claims }).verify(await mint())
  expect(auth.claims).toEqual({ sub: 'USER-1' })
  expect(auth.verified).toEqual(goodClaims())
})
