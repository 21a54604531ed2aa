import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, newcomer, type Service, startService } from '../../users-profile/test/service.js'

describe('two copies on one Redis', () => {
  let redis: RedisServer
  let one: Service
  let other: Service
  const me = newcomer()
  /** Registers somebody new and logs them in. */
  const join = async (): Promise<{ them: ReturnType<typeof newcomer>; token: string }> => {
    const them = newcomer()
    await call(one.url, 'POST', '/v1/users', { body: them })
    return { them, token: String((await call(one.url, 'POST', '/v1/login', { body: them })).body.token) }
  }
  const login = async (): Promise<string> =>
    String((await call(one.url, 'POST', '/v1/login', { body: me })).body.token)

  beforeAll(async () => {
    redis = await testRedis()
    const env = { REDIS_URL: redis.url, WEB_CONCURRENCY: '1', PROFILE_QUOTA: '60', PROFILE_LOOKUP_MS: '1000' }
    ;[one, other] = await Promise.all([startService(env), startService(env)])
    await call(one.url, 'POST', '/v1/users', { body: me })
  })
  afterAll(async () => {
    expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0])
    await redis.stop()
  })

  it('share sessions and cache: the reads after the first, on the other copy, are at least 50 times faster', async () => {
    const token = await login()
    // Over one connection each: what is compared is the answer, not the handshake.
    const headers = { Connection: 'keep-alive' }
    const first = await call(one.url, 'GET', '/v1/profile', { token, headers })
    const reads = []
    for (let i = 0; i < 50; i++) reads.push(await call(other.url, 'GET', '/v1/profile', { token, headers }))
    for (const { body, headers } of reads) {
      expect(body).toEqual(first.body)
      expect(headers.get('cache-status')).toMatch(/; hit/)
    }
    // The lookup behind the first takes a second. The best of fifty: the machine may be busy with other suites.
    expect(first.tookMs / Math.min(...reads.map(({ tookMs }) => tookMs))).toBeGreaterThan(50)
  })

  it('show a changed name at once', async () => {
    const { them, token } = await join()
    const before = await call(other.url, 'GET', '/v1/profile', { token })
    const changed = await call(one.url, 'PATCH', '/v1/profile', { token, body: { name: 'Augusta Ada King' } })
    expect(changed.status).toBe(200)
    const after = await call(other.url, 'GET', '/v1/profile', { token })
    expect([before.body.name, after.body.name]).toEqual([them.name, 'Augusta Ada King'])
  })

  it('share the quota', async () => {
    const { token } = await join()
    const statuses = []
    for (let i = 0; i < 61; i++) {
      statuses.push((await call(i % 2 ? one.url : other.url, 'GET', '/v1/profile', { token })).status)
    }
    expect(statuses).toEqual([...Array(60).fill(200), 429])
  })

  it('end a session together', async () => {
    const token = await login()
    expect((await call(one.url, 'POST', '/v1/logout', { token })).status).toBe(204)
    expect((await call(other.url, 'GET', '/v1/sessions', { token })).status).toBe(401)
  })

  it('list the sessions of a user, end one of them, and all', async () => {
    const them = newcomer()
    await call(one.url, 'POST', '/v1/users', { body: them })
    const tokens: string[] = []
    for (const copy of [one, other, one]) {
      const headers = { 'User-Agent': `device ${tokens.length}` }
      tokens.push(String((await call(copy.url, 'POST', '/v1/login', { body: them, headers })).body.token))
    }
    const listed = await call(other.url, 'GET', '/v1/sessions', { token: tokens[0]! })
    const sessions = listed.body.sessions as {
      id: string
      agent: string
      current: boolean
      address: string
    }[]
    expect(sessions.map(({ agent, current }) => [agent, current]).sort()).toEqual([
      ['device 0', true],
      ['device 1', false],
      ['device 2', false],
    ])
    expect(sessions.every(({ address }) => address === '127.0.0.1')).toBe(true)
    expect(JSON.stringify(listed.body)).not.toContain(tokens[0])

    const second = sessions.find(({ agent }) => agent === 'device 1')!
    const end = await call(one.url, 'DELETE', `/v1/sessions/${second.id}`, { token: tokens[0]! })
    expect(end.status).toBe(204)
    expect((await call(other.url, 'GET', '/v1/sessions', { token: tokens[1]! })).status).toBe(401)
    const again = await call(one.url, 'DELETE', `/v1/sessions/${second.id}`, { token: tokens[0]! })
    expect(again.status).toBe(404)

    expect((await call(one.url, 'POST', '/v1/logout-all', { token: tokens[0]! })).status).toBe(204)
    for (const token of tokens)
      expect((await call(other.url, 'GET', '/v1/sessions', { token })).status).toBe(401)
  })

  it('end no session of another user', async () => {
    const them = newcomer()
    await call(one.url, 'POST', '/v1/users', { body: them })
    const theirs = String((await call(one.url, 'POST', '/v1/login', { body: them })).body.token)
    const mine = await login()
    const listed = await call(one.url, 'GET', '/v1/sessions', { token: mine })
    const [session] = listed.body.sessions as { id: string }[]
    expect((await call(one.url, 'DELETE', `/v1/sessions/${session!.id}`, { token: theirs })).status).toBe(404)
    expect((await call(one.url, 'GET', '/v1/sessions', { token: mine })).status).toBe(200)
  })

  it('share the catalogue as an HTTP cache does: Age, ETag, 304, Cache-Status', async () => {
    // Both copies are one host to the world; a response is stored for the host it was asked of.
    const Host = 'shop.example'
    const read = (copy: Service, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
      call(copy.url, 'GET', path, { headers: { Host, ...headers } })
    const first = await read(one, '/v1/catalogue')
    expect(first.headers.get('cache-status')).toBe('users-profile; fwd=uri-miss; stored')
    const etag = first.headers.get('etag')!
    const second = await read(other, '/v1/catalogue?utm_source=x', { Cookie: 'session=x' })
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('cache-status')).toMatch(/^users-profile; hit; ttl=\d+/)
    expect(second.headers.get('age')).toMatch(/^\d+$/)
    expect(second.headers.get('etag')).toBe(etag)
    const unchanged = await read(one, '/v1/catalogue', { 'If-None-Match': `"x", ${etag}` })
    expect(unchanged.status).toBe(304)
    expect(unchanged.headers.get('age')).toMatch(/^\d+$/)
  })

  it('go on, and say so, when Redis is frozen, and heal when it comes back', async () => {
    const { token } = await join()
    redis.pause()
    const startedAt = performance.now()
    const refused = await call(one.url, 'GET', '/v1/profile', { token })
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect((await fetch(one.url)).status).toBe(200)
    redis.resume()
    await expect
      .poll(async () => (await call(one.url, 'GET', '/v1/profile', { token })).status, { timeout: 10_000 })
      .toBe(200)
  })
})
