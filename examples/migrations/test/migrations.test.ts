import { testRedis } from '@scale/devkit/redis-server'
import { Redis } from 'ioredis'
import { register } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { start } from './app.js'
import { cases, secrets } from './cases.js'

let redis: Awaited<ReturnType<typeof testRedis>>
let control: Redis

beforeAll(async () => {
  redis = await testRedis()
  Object.assign(process.env, secrets, { REDIS_URL: redis.url, PORT: '0' })
  control = new Redis(redis.url)
})
afterAll(async () => {
  control?.disconnect()
  await redis?.stop()
})

describe.each(cases)('$peer', ({ peer, visit, same, differs }) => {
  it.each(['before', 'after'] as const)('%s', async (file) => {
    const app = await start(peer, file)
    try {
      const seen = await visit(app)
      const own = Object.fromEntries(differs.map((difference) => [difference.name, difference[file]]))
      expect(seen).toEqual({ ...same, ...own })
    } finally {
      await app.close()
      // Both would be metrics of one name.
      register.clear()
      await control.flushall()
    }
  })
})

describe('the move itself', () => {
  const kinds = { old: 'before', shared: 'during', new: 'after' } as const

  it('express-session: forward, side by side, and back: nobody is logged out, and a logout holds on all', async () => {
    const apps = {
      old: await start('express-session', kinds.old),
      shared: await start('express-session', kinds.shared),
      new: await start('express-session', kinds.new),
    }
    const cookies = new Map<string, string>()
    const at = (kind: keyof typeof apps) => apps[kind].client(cookies)
    const me = async (kind: keyof typeof apps) => (await at(kind)('GET', '/me')).body

    await at('old')('POST', '/login/ann')
    await at('shared')('POST', '/cart/tea')
    await at('old')('POST', '/cart/jam')
    for (const kind of ['old', 'shared', 'old', 'shared'] as const) {
      expect(await me(kind)).toEqual({ user: 'ann', cart: ['tea', 'jam'] })
    }
    // Back: who logged in at a new copy is logged in at the old ones.
    const bob = new Map<string, string>()
    await apps.shared.client(bob)('POST', '/login/bob')
    expect((await apps.old.client(bob)('GET', '/me')).body).toEqual({ user: 'bob', cart: [] })
    const copied = new Map(bob)
    await apps.old.client(bob)('POST', '/logout')
    expect((await apps.shared.client(copied)('GET', '/me')).status).toBe(401)
    // To the end.
    expect(await me('new')).toEqual({ user: 'ann', cart: ['tea', 'jam'] })
    for (const kind of ['shared', 'new'] as const) {
      expect(await me(kind)).toEqual({ user: 'ann', cart: ['tea', 'jam'] })
    }
    const taken = new Map(cookies)
    await at('new')('POST', '/logout')
    for (const kind of ['old', 'shared', 'new'] as const) {
      expect((await apps[kind].client(new Map(taken))('GET', '/me')).status).toBe(401)
    }
    for (const app of Object.values(apps)) await app.close()
  })

  it('cookie-session: who was logged in stays so, and after the logout the old cookie opens nothing', async () => {
    const before = await start('cookie-session', 'before')
    const after = await start('cookie-session', 'after')
    const cookies = new Map<string, string>()
    await before.client(cookies)('POST', '/login/ann')
    const old = new Map(cookies)
    expect((await after.client(cookies)('GET', '/me')).body).toEqual({ user: 'ann' })
    await after.client(cookies)('POST', '/logout')
    expect((await after.client(new Map(old))('GET', '/me')).status).toBe(401)
    const [value = ''] = [...old.values()]
    const forged = new Map([...old, ['session', value.replace(/^./, 'x')]])
    expect((await after.client(forged)('GET', '/me')).status).toBe(401)
    for (const app of [before, after]) await app.close()
  })
})
