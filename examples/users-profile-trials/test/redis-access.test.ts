import { readFileSync } from 'node:fs'
import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, newcomer, type Service, startService } from '../../users-profile/test/service.js'

// The user of docs/guides/redis.md: with its commands, keys and channels the whole walk goes, and with one command less it does not.

const guide = readFileSync(new URL('../../../docs/guides/redis.md', import.meta.url), 'utf8')
const rules = /^user app (.*)$/m.exec(guide)![1]!.replace('>PASSWORD', '>secret').split(' ')

let server: RedisServer
let service: Service
beforeAll(async () => {
  server = await testRedis()
  await server.command('ACL', 'SETUSER', 'app', 'reset', ...rules)
  const { host } = new URL(server.url)
  service = await startService({ REDIS_URL: `redis://app:secret@${host}`, WEB_CONCURRENCY: '2' })
})
afterAll(async () => {
  await service?.stop()
  await server?.stop()
})

/** What each step of the walk was answered. */
async function walk(): Promise<number[]> {
  const me = newcomer()
  const statuses: number[] = []
  const step = async (method: string, path: string, options?: Parameters<typeof call>[3]) => {
    const answer = await call(service.url, method, path, options)
    statuses.push(answer.status)
    return answer.body
  }
  await step('POST', '/v1/users', { body: me })
  await step('POST', '/v1/login', { body: { ...me, password: 'not the password' } })
  const { token } = (await step('POST', '/v1/login', { body: me })) as { token: string }
  await step('GET', '/v1/profile', { token })
  await step('PATCH', '/v1/profile', { token, body: { name: 'Another Name' } })
  for (let i = 0; i < 10; i++) await step('GET', '/v1/profile', { token })
  await step('GET', '/v1/sessions', { token })
  for (let i = 0; i < 2; i++) await step('GET', '/v1/catalogue')
  const pair = (await step('POST', '/v1/token', { body: me })) as { refresh_token: string }
  const next = await step('POST', '/v1/token/refresh', { body: { refresh_token: pair.refresh_token } })
  await step('GET', '/v1/me', { token: String(next.access_token) })
  await step('POST', '/v1/logout', { token })
  const again = await step('POST', '/v1/login', { body: me })
  await step('POST', '/v1/logout-all', { token: String(again.token) })
  return statuses
}

const expected = [
  201,
  401,
  200,
  200,
  200,
  ...Array(9).fill(200),
  429,
  200,
  200,
  200,
  200,
  200,
  200,
  204,
  200,
  204,
]

describe('the user of the guide', () => {
  it('is enough for everything that the service does', async () => {
    expect(await walk()).toEqual(expected)
    expect(await server.command('ACL', 'LOG')).toEqual([])
  })

  it.each(['evalsha', 'hset', 'zadd', 'time', 'pexpire', 'set', 'zscore'])(
    'is not enough without %s: it is a 503, never a 500, and heals when it is allowed',
    async (command) => {
      await server.command('ACL', 'SETUSER', 'app', `-${command}`)
      const statuses = await walk()
      expect(statuses).not.toEqual(expected)
      expect(statuses.filter((status) => status >= 500 && status !== 503)).toEqual([])
      await server.command('ACL', 'SETUSER', 'app', `+${command}`)
    },
  )

  it('touches no key and no channel outside its own', async () => {
    await server.command('SET', 'other:key', '1')
    expect(await walk()).toEqual(expected)
    const keys = (await server.command('KEYS', '*')) as unknown as string[]
    expect(keys.filter((key) => !key.startsWith('scale:'))).toEqual(['other:key'])
  })
})
