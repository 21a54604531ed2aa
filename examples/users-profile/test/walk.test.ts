import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, logOf, newcomer, type Service, startService } from './service.js'

describe.each([
  [
    'two workers and a Redis of its own',
    { WEB_CONCURRENCY: '2' },
    /2 workers .*Redis: (?:redis|valkey)-server/,
  ],
  [
    'no Redis to be had',
    { WEB_CONCURRENCY: '2', REDIS_URL: 'none' },
    /WARNING: without Redis.*1 worker .*Redis: none/,
  ],
])('the walk of the README, with %s', (_, env, firstLine) => {
  let service: Service
  const me = newcomer()
  let token: string

  beforeAll(async () => {
    service = await startService(env)
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
  })

  it('says in one line what it found and how to choose others', () => {
    const [line] = service.output().split('\n')
    expect(line).toMatch(firstLine)
    expect(line).toMatch(/choose others with PORT, WEB_CONCURRENCY, REDIS_URL, DATABASE_URL/)
    // The rest is the log, and nothing has gone wrong.
    expect(logOf(service).filter(({ level }) => level !== 'info')).toEqual([])
  })

  it('registers', async () => {
    const { status, headers, body } = await call(service.url, 'POST', '/v1/users', { body: me })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(String),
      name: me.name,
      email: me.email,
      createdAt: expect.any(String),
    })
    expect(headers.get('location')).toBe(`/v1/users/${body.id}`)
  })

  it('knows the address from then on, whatever its case', async () => {
    const { status, body } = await call(service.url, 'POST', '/v1/users', {
      body: { ...me, email: me.email.toUpperCase() },
    })
    expect(status).toBe(409)
    expect(JSON.stringify(body).toLowerCase()).not.toContain(me.email)
  })

  it.each(['nu\0l', 'line\nbreak', 'half a pair \ud800'])(
    'refuses a name that no database keeps as it is: %j',
    async (name) => {
      const { status, body } = await call(service.url, 'POST', '/v1/users', { body: { ...newcomer(), name } })
      expect(status).toBe(422)
      expect(body.errors).toEqual([
        { in: 'body', pointer: '#/name', detail: 'Must have no control characters.' },
      ])
    },
  )

  it('refuses such an e-mail address at login, too', async () => {
    const body = { ...me, email: `nul\0${me.email}` }
    const { status } = await call(service.url, 'POST', '/v1/login', { body })
    expect(status).toBe(422)
  })

  it('logs in', async () => {
    const { status, headers, body } = await call(service.url, 'POST', '/v1/login', { body: me })
    expect(status).toBe(200)
    expect(body).toMatchObject({ token: expect.any(String), user: { name: me.name, email: me.email } })
    expect(Date.parse(String(body.expiresAt))).toBeGreaterThan(Date.now())
    // Over http, as here, Safari keeps no Secure cookie.
    expect(headers.getSetCookie()).toEqual([expect.stringMatching(/^session=(?!.*; Secure)/)])
    token = String(body.token)
  })

  it('answers an unknown address and a wrong password alike', async () => {
    const wrong = await call(service.url, 'POST', '/v1/login', { body: { ...me, password: 'not this one' } })
    const unknown = await call(service.url, 'POST', '/v1/login', {
      body: { ...me, email: 'nobody@example.org' },
    })
    expect(wrong.status).toBe(401)
    // Alike but for the ids under which each is logged.
    const { requestId, traceId } = wrong.body
    expect({ ...unknown.body, requestId, traceId }).toEqual(wrong.body)
    expect(unknown.headers.get('www-authenticate')).toBe(wrong.headers.get('www-authenticate'))
    expect(wrong.headers.get('www-authenticate')).toMatch(/^Bearer/)
  })

  it('reads the profile: slow once, then from the cache on any worker, and eleven times is once too often', async () => {
    const reads = []
    for (let i = 0; i < 11; i++) reads.push(await call(service.url, 'GET', '/v1/profile', { token }))
    expect(reads.map(({ status }) => status)).toEqual([...Array(10).fill(200), 429])
    expect(reads[0]!.headers.get('cache-status')).toMatch(/fwd=uri-miss/)
    for (const { headers } of reads.slice(1, 10)) expect(headers.get('cache-status')).toMatch(/; hit/)
    expect(reads[0]!.body).toMatchObject({
      name: me.name,
      email: me.email,
      role: 'user',
      lastSeen: expect.any(String),
    })
    expect(reads.map(({ headers }) => /;r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])).toEqual([
      ...[9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(String),
      '0',
    ])
    const refused = reads[10]!
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('content-type')).toMatch(/application\/problem\+json/)
    expect(refused.body).toMatchObject({
      status: 429,
      code: 'ERR_SCALE_RATE_LIMITED',
      title: expect.any(String),
    })
  })

  it('gives the profile as a document, made on a thread', async () => {
    const somebody = { ...newcomer(), name: 'Ada <b>&' }
    await call(service.url, 'POST', '/v1/users', { body: somebody })
    const login = await call(service.url, 'POST', '/v1/login', { body: somebody })
    const headers = { Authorization: `Bearer ${login.body.token}` }
    const response = await fetch(`${service.url}/v1/profile/export`, { headers })
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('content-disposition'),
    ]).toEqual([200, 'text/html; charset=utf-8', 'attachment; filename=profile.html'])
    const text = await response.text()
    expect(text).toContain(somebody.email)
    expect(text).toContain('Ada &#60;b&#62;&#38;')
    expect((await fetch(`${service.url}/v1/profile/export`)).status).toBe(401)
  })

  it('logs out, and the token is dead', async () => {
    expect((await call(service.url, 'POST', '/v1/logout', { token })).status).toBe(204)
    const { status, headers } = await call(service.url, 'GET', '/v1/profile', { token })
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
  })

  it('refuses the sixth wrong password in a minute, and only for that account', async () => {
    const victim = newcomer()
    await call(service.url, 'POST', '/v1/users', { body: victim })
    const guess = { ...victim, password: 'a wrong guess' }
    const statuses = []
    for (let i = 0; i < 6; i++)
      statuses.push((await call(service.url, 'POST', '/v1/login', { body: guess })).status)
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429])
    expect((await call(service.url, 'POST', '/v1/login', { body: victim })).status).toBe(429)
    expect((await call(service.url, 'POST', '/v1/login', { body: me })).status).toBe(200)
  })
})
