import { generateKeyPairSync } from 'node:crypto'
import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSettings } from '../../users-profile/src/config.js'
import { call, newcomer, type Service, startService } from '../../users-profile/test/service.js'

interface Pair {
  access_token: string
  refresh_token: string
}

const readConfig = (env: Record<string, string>) => loadSettings(env).values

describe('tokens, on two copies of two workers', () => {
  let redis: RedisServer
  let one: Service
  let other: Service
  const me = newcomer()
  const everywhere = (): string[] => [one.url, other.url]
  const signIn = async (): Promise<Pair> =>
    (await call(one.url, 'POST', '/v1/token', { body: me })).body as unknown as Pair
  const refresh = (url: string, refresh_token: string) =>
    call(url, 'POST', '/v1/token/refresh', { body: { refresh_token } })

  beforeAll(async () => {
    redis = await testRedis()
    const env = { REDIS_URL: redis.url, WEB_CONCURRENCY: '2' }
    ;[one, other] = await Promise.all([startService(env), startService(env)])
    await call(one.url, 'POST', '/v1/users', { body: me })
  })
  afterAll(async () => {
    expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0])
    await redis.stop()
  })

  it('a sign-in gives a pair, and any worker of any copy takes its access token', async () => {
    const { status, headers, body } = await call(one.url, 'POST', '/v1/token', { body: me })
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: expect.any(String),
      scope: 'profile',
    })
    for (const url of [...everywhere(), ...everywhere(), ...everywhere()]) {
      const answer = await call(url, 'GET', '/v1/me', { token: String(body.access_token) })
      expect([answer.status, answer.body]).toEqual([
        200,
        { id: expect.any(String), clientId: 'app', scopes: ['profile'], expiresAt: expect.any(String) },
      ])
    }
  })

  it('publishes the one key that both copies sign with, and nothing private', async () => {
    const [mine, theirs] = await Promise.all(
      everywhere().map(async (url) => (await fetch(`${url}/.well-known/jwks.json`)).json()),
    )
    expect(mine).toEqual({
      keys: [
        {
          kty: 'OKP',
          crv: 'Ed25519',
          x: expect.any(String),
          kid: expect.any(String),
          alg: 'EdDSA',
          use: 'sig',
        },
      ],
    })
    expect(theirs).toEqual(mine)
  })

  it('20 refreshes of one token at once: one successor', async () => {
    const { refresh_token } = await signIn()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => refresh(everywhere()[index % 2]!, refresh_token)),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
  })

  it('a refresh token of which somebody made a copy ends everything that came of it', async () => {
    const first = await signIn()
    let current = first.refresh_token
    // The ninth token after it: by then the first one is out of its grace by number.
    for (let i = 0; i < 9; i++) current = String((await refresh(one.url, current)).body.refresh_token)
    const reuse = await refresh(other.url, first.refresh_token)
    expect([reuse.status, reuse.body]).toEqual([
      400,
      expect.objectContaining({ code: 'ERR_SCALE_TOKEN_GRANT', error: 'invalid_grant' }),
    ])
    expect((await refresh(one.url, current)).status).toBe(400)
    const answer = await call(other.url, 'GET', '/v1/me', { token: first.access_token })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer error="invalid_token", error_description="The access token was revoked"',
    ])
  })

  it('answers what is no token with a challenge, and what is no refresh token with invalid_grant', async () => {
    const without = await call(one.url, 'GET', '/v1/me')
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    const wrong = await call(one.url, 'GET', '/v1/me', { token: 'a.b.c' })
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Bearer error="invalid_token"/),
    ])
    for (const refresh_token of ['', 'x', 'x'.repeat(79)]) {
      expect((await refresh(one.url, refresh_token)).body).toMatchObject({
        status: 400,
        error: 'invalid_grant',
      })
    }
    expect((await call(one.url, 'POST', '/v1/token/refresh', { body: {} })).status).toBe(422)
    expect(
      (await call(one.url, 'POST', '/v1/token', { body: { ...me, password: 'wrong guess' } })).status,
    ).toBe(401)
  })

  it('logout-all ends tokens too', async () => {
    const them = newcomer()
    await call(one.url, 'POST', '/v1/users', { body: them })
    const pair = (await call(one.url, 'POST', '/v1/token', { body: them })).body as unknown as Pair
    const { token } = (await call(one.url, 'POST', '/v1/login', { body: them })).body as { token: string }
    expect((await call(other.url, 'POST', '/v1/logout-all', { token })).status).toBe(204)
    expect((await refresh(one.url, pair.refresh_token)).status).toBe(400)
    expect((await call(one.url, 'GET', '/v1/me', { token: pair.access_token })).status).toBe(401)
  })
})

describe('the key', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  it('is required in production, and may be PKCS#8 or a JWK', () => {
    const elsewhere = { REDIS_URL: 'redis://redis', DATABASE_URL: 'postgres://db/users' }
    const production = { NODE_ENV: 'production', ...elsewhere }
    expect(() => readConfig(production)).toThrow(/JWT_PRIVATE_KEY: is missing/)
    expect(() => readConfig({ ...production, PORT: 'x' })).toThrow(/JWT_PRIVATE_KEY: .*\n {2}PORT: /)
    const pem = key.export({ type: 'pkcs8', format: 'pem' }) as string
    for (const text of [pem, JSON.stringify(key.export({ format: 'jwk' }))]) {
      expect(readConfig({ ...production, JWT_PRIVATE_KEY: text }).JWT_PRIVATE_KEY).toBe(text)
    }
  })

  it('that cannot sign, or a file without one, is named and not repeated', () => {
    expect(() => readConfig({ JWT_PRIVATE_KEY: 'hunter2' })).toThrow(/JWT_PRIVATE_KEY: cannot be used$/)
    expect(() => readConfig({ JWT_PRIVATE_KEY: 'hunter2' })).not.toThrow(/hunter2/)
    expect(() => readConfig({ JWT_PRIVATE_KEY_FILE: import.meta.filename })).toThrow(
      /JWT_PRIVATE_KEY: cannot be used \(from .*tokens/,
    )
    expect(() => readConfig({ JWT_PRIVATE_KEY_FILE: 'nowhere.pem' })).toThrow(/JWT_PRIVATE_KEY_FILE/)
  })
})
