import { openBrowser } from '@scale/devkit/browser'
import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, newcomer, type Service, startService } from '../../users-profile/test/service.js'

describe('two workers', () => {
  let redis: RedisServer
  let service: Service
  const PROFILES = 12
  const QUOTA = 10

  beforeAll(async () => {
    redis = await testRedis()
    service = await startService({
      REDIS_URL: redis.url,
      WEB_CONCURRENCY: '2',
      PROFILE_QUOTA: String(QUOTA),
      PROFILE_LOOKUP_MS: '20',
    })
    const body = newcomer()
    await call(service.url, 'POST', '/v1/users', { body })
    const token = String((await call(service.url, 'POST', '/v1/login', { body })).body.token)
    for (let count = 0; count < PROFILES; count++) await call(service.url, 'GET', '/v1/profile', { token })
    await call(service.url, 'GET', '/v1/sessions/not-a-route/at-all', { token })
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
    await redis.stop()
  })

  it('show the requests of both in one answer', async () => {
    const text = await (await fetch(`${service.adminUrl}/metrics`)).text()
    const sumOf = (pattern: RegExp): number =>
      [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0)
    const profile = 'http_server_request_duration_seconds_count\\{[^}]*http_route="/v1/profile"[^}]*\\}'
    expect(sumOf(new RegExp(`^${profile} (\\d+)$`, 'gm'))).toBe(PROFILES)
    expect(sumOf(/^scale_rate_limit_decisions_total\{[^}]*outcome="refused"[^}]*\} (\d+)$/gm)).toBe(
      PROFILES - QUOTA,
    )
    expect(sumOf(/^scale_session_created_total\{by="login"\} (\d+)$/gm)).toBe(1)
    expect(sumOf(/^scale_cache_reads_total\{cache="profiles",outcome="hit"[^}]*\} (\d+)$/gm)).toBe(QUOTA - 1)
    expect(sumOf(/^scale_cluster_workers\{state="ready"\} (\d+)$/gm)).toBe(2)
    expect(sumOf(/^scale_metrics_workers (\d+)$/gm)).toBe(2)
    expect(sumOf(/^scale_pool_max_connections\{pool="postgres"\} (\d+)$/gm)).toBe(20)
    expect(text).not.toContain('not-a-route')
    const serving = [...text.matchAll(/^process_resident_memory_bytes\{worker="(\w+)"\}/gm)].map(
      ([, worker]) => worker,
    )
    expect(serving.sort()).toEqual(['1', '2', 'primary'])
  })

  it('are on the page for people', async () => {
    const browser = await openBrowser()
    try {
      const page = await browser.newPage()
      await page.goto(`${service.adminUrl}/dashboard`)
      const row = page.getByRole('row').filter({ hasText: '/v1/profile' })
      await row.waitFor()
      expect(await row.textContent()).toMatch(new RegExp(`^GET/v1/profile${PROFILES}0`))
      expect(await page.locator('#quotas').textContent()).toContain(`${PROFILES - QUOTA} refused, `)
      expect(await page.locator('#workers-figure').textContent()).toBe('Workers20 silent')
    } finally {
      await browser.close()
    }
  })
})
