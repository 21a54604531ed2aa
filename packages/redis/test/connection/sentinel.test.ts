import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectionError, createRedis, storeGuard, whenReady } from '../../src/index.js'
import { type RedisSentinel, startRedisSentinel } from '../../src/testing/index.js'
import { PATIENT } from '../outage/traffic.js'

const guide = readFileSync(new URL('../../../../docs/guides/redis.md', import.meta.url), 'utf8')
let group: RedisSentinel

// The default down-after of 30 s is scaled to 1 s by the helper; what is measured here counts from the promotion.
beforeAll(async () => {
  group = await startRedisSentinel({ ...(await findRedisServer()), replicas: 2 })
})
afterAll(() => group?.stop())

it('is ready though one Sentinel of three hangs, whichever it is', async () => {
  for (const sentinel of group.sentinels) {
    sentinel.pause()
    const client = createRedis(group.url)
    // Below the deadline of a look-up, which is 2,000 ms: nobody waits for the one that hangs.
    expect(await whenReady(client, 1_500)).toBe(true)
    client.disconnect()
    sentinel.resume()
  }
})

it('says what each Sentinel said when none knows the primary', async () => {
  const client = createRedis(group.url.replace(/primary$/, 'another'))
  expect(await whenReady(client, 500)).toBe(false)
  expect(connectionError(client)?.message).toMatch(/No Sentinel names the primary \(.*No such master/)
  client.disconnect()
})

it('reaches Sentinels with a user and a password of their own', async () => {
  // Exactly those that docs/guides/redis.md names.
  const [, text] = /^user watcher on >PASSWORD (.*)$/m.exec(guide)!
  const rights = text!.split(' ')
  for (const sentinel of group.sentinels) {
    await sentinel.command('ACL', 'SETUSER', 'watcher', 'on', '>s3cret@', ...rights)
    await sentinel.command('ACL', 'SETUSER', 'default', '-sentinel')
  }
  try {
    const without = createRedis(group.url)
    expect(await whenReady(without, 500)).toBe(false)
    expect(connectionError(without)?.message).toMatch(/NOPERM/)
    without.disconnect()
    const byUrl = createRedis(`${group.url}?sentinelUsername=watcher&sentinelPassword=s3cret%40`)
    expect(await whenReady(byUrl, 3_000)).toBe(true)
    byUrl.disconnect()
    const byOptions = createRedis(group.url, {
      sentinel: { username: 'watcher', password: 's3cret@' },
    })
    expect(await whenReady(byOptions, 3_000)).toBe(true)
    byOptions.disconnect()
  } finally {
    for (const sentinel of group.sentinels) await sentinel.command('ACL', 'SETUSER', 'default', '+sentinel')
  }
})

it('leaves a primary as soon as another one is announced, though it still answers as a primary', async () => {
  const client = createRedis(group.url)
  expect(await whenReady(client, 3_000)).toBe(true)
  const guard = storeGuard(client)
  await guard.call('set', ['mark', '0'], PATIENT)
  const old = await group.primary()
  const promotion = group.failover('handover')
  const announced = async (): Promise<boolean> => {
    const views = await Promise.all(
      group.sentinels.map((sentinel) => sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name)),
    )
    return views.some((view) => Number((view as string[])[1]) !== old.port)
  }
  while (!(await announced())) await sleep(5)
  await sleep(300)
  // A write from now on must be found on the new primary.
  await expect
    .poll(() => guard.call('set', ['mark', '1'], PATIENT).catch((error: Error) => error.message), {
      timeout: 1_000,
    })
    .toBe('OK')
  const promoted = await promotion
  expect(promoted).not.toBe(old)
  expect(await promoted.command('GET', 'mark')).toBe('1')
  client.disconnect()
})

it('follows within a second of the promotion when the primary freezes', async () => {
  const client = createRedis(group.url)
  expect(await whenReady(client, 3_000)).toBe(true)
  const guard = storeGuard(client)
  const old = await group.primary()
  old.pause()
  const outcome = () => guard.call('set', ['mark', '2'], { patience: 'long' }).catch(() => 'away')
  const asking = (async () => {
    while ((await outcome()) !== 'OK') await sleep(10)
    return performance.now()
  })()
  while ((await group.primary()) === old) await sleep(10)
  const promotedAt = performance.now()
  expect((await asking) - promotedAt).toBeLessThan(2_000)
  old.resume()
  await group.settled()
  client.disconnect()
})

it('follows at once also where it would wait for long before a new try', async () => {
  // A minute by default it never is: seconds are what they wait for after a few tries, so that it shows.
  const clients = Array.from({ length: 8 }, () => createRedis(group.url, { maxReconnectDelayMs: 60_000 }))
  for (const client of clients) expect(await whenReady(client, 3_000)).toBe(true)
  const old = await group.primary()
  await old.kill()
  const served = clients.map(async (client) => {
    const outcome = () =>
      storeGuard(client)
        .call('set', ['mark', '4'], PATIENT)
        .catch(() => 'away')
    while ((await outcome()) !== 'OK') await sleep(10)
    return performance.now()
  })
  while ((await group.primary()) === old) await sleep(10)
  const promotedAt = performance.now()
  expect(Math.max(...(await Promise.all(served))) - promotedAt).toBeLessThan(2_000)
  for (const client of clients) client.disconnect()
  await old.restart()
  await group.settled()
})

it('follows when the primary has gone while nobody listened', async () => {
  await group.failover('handover')
  const client = createRedis(group.url)
  expect(await whenReady(client, 3_000)).toBe(true)
  expect(await storeGuard(client).call('set', ['mark', '3'], PATIENT)).toBe('OK')
  client.disconnect()
})
