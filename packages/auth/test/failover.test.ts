import { findRedisServer } from '@scale/devkit/redis-server'
import { createRedis, slotOf, whenReady } from '@scale/redis'
import { type RedisCluster, startRedisCluster } from '@scale/redis/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { signingKeys, type TokenIssuer, type TokenResponse, tokenIssuer } from '../src/index.js'
import { userTag } from '../src/issuer/refresh-token.js'
import { testKey } from './tokens.js'

let cluster: RedisCluster
const clients: ReturnType<typeof createRedis>[] = []

beforeAll(async () => {
  cluster = await startRedisCluster(await findRedisServer())
}, 60_000)
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await cluster?.stop()
})

async function issuerOf(keys: ReturnType<typeof signingKeys>): Promise<TokenIssuer> {
  const redis = createRedis(cluster.url, { guard: { deadlineMs: 500 } })
  clients.push(redis)
  await whenReady(redis, 10_000)
  return tokenIssuer({ issuer: 'https://issuer.example', audience: 'api', keys, redis })
}

/** What an honest client does: asks again while it is told that the service is not available. */
async function refreshed(issuer: TokenIssuer, token: string): Promise<TokenResponse> {
  for (;;) {
    try {
      return await issuer.refresh(token)
    } catch (error) {
      if ((error as { status?: number }).status !== 503) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

it('while a replica takes over, every token has one successor and nobody is logged out', {
  timeout: 60_000,
}, async () => {
  const keys = signingKeys(testKey('EdDSA').privateJwk)
  const issuers = await Promise.all([issuerOf(keys), issuerOf(keys)])
  const userId = 'cluster-user'
  let { refresh_token: token } = await issuers[0].issue({ userId })
  const before = await cluster.primaryOf(slotOf(`{${userTag(userId)}}`))
  let isOver = false
  const moving = cluster.failover(before).finally(() => {
    isOver = true
  })
  let rounds = 0
  for (let after = 0; after < 5; rounds++) {
    if (isOver) after++
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => refreshed(issuers[index % 2]!, token)),
    )
    expect(new Set(answers.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    token = answers[0]!.refresh_token
  }
  expect((await moving).port).not.toBe(before.port)
  expect(rounds).toBeGreaterThan(5)
  expect(await issuers[1].of(userId).list()).toHaveLength(1)
})
