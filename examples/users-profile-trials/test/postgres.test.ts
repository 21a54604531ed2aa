import { type PostgresServer, testPostgres } from '@scale/devkit/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, newcomer, type Service, startService } from '../../users-profile/test/service.js'

describe('with a PostgreSQL server of its own', () => {
  let postgres: PostgresServer
  let service: Service

  beforeAll(async () => {
    postgres = await testPostgres()
    service = await startService({ DATABASE_URL: postgres.url, WEB_CONCURRENCY: '2' })
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
    await postgres.stop()
  })

  it('registers each address once, however many try at the same time', async () => {
    const me = newcomer()
    const attempts = await Promise.all(
      Array.from({ length: 8 }, () => call(service.url, 'POST', '/v1/users', { body: me })),
    )
    expect(attempts.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
  })

  it('logs in and shows the profile', async () => {
    const me = newcomer()
    await call(service.url, 'POST', '/v1/users', { body: me })
    const token = String((await call(service.url, 'POST', '/v1/login', { body: me })).body.token)
    const { status, body } = await call(service.url, 'GET', '/v1/profile', { token })
    expect(status).toBe(200)
    expect(body).toMatchObject({ name: me.name, email: me.email, role: 'user' })
  })
})
