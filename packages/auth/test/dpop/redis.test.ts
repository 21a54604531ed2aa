import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRedis, operationChannel, whenReady } from '@scale/redis'
import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'
import express from 'express'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { accessToken, type DpopOptions, dpop, memoryReplayStore, redisReplayStore } from '../../src/index.js'
import { replayStoreContract } from '../../src/testing/index.js'
import { listen, type RunningApp } from '../app.js'
import { useRedis } from '../redis.js'
import { key, mint, NOW_MS, options } from '../tokens.js'
import { BASE_URL, bound, clientThumbprint, prove } from './proofs.js'

const redis = useRedis()
let nowMs = 0

describe('used proofs in memory', () => {
  const store = memoryReplayStore({ clock: () => nowMs })
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms
  }
  replayStoreContract({ describe, it }, { store: () => store, pass })

  it('are never forgotten before their end: when there are too many, a claim fails, and passes later', () => {
    const small = memoryReplayStore({ maxNames: 2, clock: () => nowMs })
    expect([small.claim('a', 100), small.claim('b', 100)]).toEqual([true, true])
    expect(() => small.claim('c', 100)).toThrow(/Too many proofs/)
    expect(small.claim('a', 100)).toBe(false)
    nowMs += 100
    expect(small.claim('c', 100)).toBe(true)
  })
})

describe('used proofs in Redis', () => {
  const pass = async (ms: number): Promise<void> => {
    const serverMs = async (): Promise<number> => {
      const [seconds, micros] = (await redis.client.time()).map(Number)
      return seconds! * 1_000 + micros! / 1_000
    }
    const endsAt = (await serverMs()) + ms
    while ((await serverMs()) < endsAt) {}
  }
  replayStoreContract({ describe, it }, { store: () => redisReplayStore({ redis: redis.client }), pass })

  it('cost one command a request, and end by themselves', async () => {
    const commands: string[] = []
    const stop = operationChannel.subscribe(({ operation }) => commands.push(operation))
    const proofs = dpop({ redis: redis.client, clock: () => NOW_MS, baseUrl: BASE_URL, prefix: 'one' })
    const req = { method: 'GET', url: '/orders', headers: { dpop: await prove() } }
    expect(await proofs.confirm(req as never, bound, clientThumbprint)).toMatchObject({ kind: 'good' })
    stop()
    expect(commands).toEqual(['set'])
    const [name, ...more] = await redis.client.keys('one:*')
    expect(more).toEqual([])
    // 60 s, and 10 s to either side.
    expect(await redis.client.pttl(name!)).toBeGreaterThan(79_000)
    expect(await redis.client.pttl(name!)).toBeLessThanOrEqual(80_000)
    expect(name).not.toContain(clientThumbprint)
  })
})

describe('two processes', () => {
  let children: ChildProcess[]
  let urls: string[]
  beforeAll(async () => {
    const file = fileURLToPath(new URL('resource-server.ts', import.meta.url))
    const execArgv = ['--conditions=@scale/source', '--import', 'tsx']
    children = [1, 2].map(() => fork(file, [redis.server.url, JSON.stringify(key.jwk)], { execArgv }))
    urls = await Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])))
  })
  afterAll(async () => {
    for (const child of children ?? []) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  it('let one of 50 requests with one proof pass, ten times over', async () => {
    const iat = Math.floor(Date.now() / 1_000)
    const token = await mint({ claims: { iat, exp: iat + 300, cnf: { jkt: clientThumbprint } } })
    for (let round = 0; round < 10; round++) {
      const headers = { authorization: `DPoP ${token}`, dpop: await prove({ token, claims: { iat } }) }
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => fetch(`${urls[i % 2]}/orders`, { headers })),
      )
      const statuses = answers.map(({ status }) => status).sort()
      expect(statuses).toEqual([204, ...Array(49).fill(401)])
    }
  })
})

const faults: [name: string, begin: (proxy: FaultProxy) => unknown][] = [
  ['refuses connections', (proxy) => proxy.set({ refuse: true }).then(() => proxy.reset())],
  ['is a black hole', (proxy) => proxy.set({ blackHole: true })],
  ['is far too slow', (proxy) => proxy.set({ latencyMs: 5_000 })],
]

describe.each(faults)('a Redis that %s', (_, begin) => {
  let proxy: FaultProxy
  let client: ReturnType<typeof createRedis>
  beforeEach(async () => {
    proxy = await startFaultProxy({ target: redis.server })
    client = createRedis(proxy.url, {
      maxReconnectDelayMs: 50,
      guard: { deadlineMs: 150 },
    })
    await whenReady(client, 5_000)
  })
  afterEach(async () => {
    client.disconnect()
    await proxy.close()
  })

  function appWith(changes: DpopOptions): Promise<RunningApp> {
    const proofs = dpop({ redis: client, clock: () => NOW_MS, baseUrl: BASE_URL, ...changes })
    const tokens = accessToken(options({ dpop: proofs }))
    return listen(express().get('/orders', tokens, (_req, res) => void res.sendStatus(204)))
  }
  const ask = async (app: RunningApp) =>
    app.send('GET', '/orders', { authorization: `DPoP ${bound}`, dpop: await prove() })

  it('is a 503 with a time, or a pass where that was asked for; a wrong proof is a 401 all the same; and it heals', async () => {
    const [strict, lenient] = [await appWith({}), await appWith({ onStoreError: 'accept' })]
    expect((await ask(strict)).status).toBe(204)
    await begin(proxy)
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await ask(strict)
      expect(status).toBe(503)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await ask(lenient)).status).toBe(204)
    }
    const wrong = { authorization: `DPoP ${bound}`, dpop: await prove({ claims: { htm: 'PUT' } }) }
    expect((await strict.send('GET', '/orders', wrong)).status).toBe(401)
    await proxy.clear()
    await expect.poll(async () => (await ask(strict)).status, { timeout: 10_000 }).toBe(204)
    await strict.close()
    await lenient.close()
  })
})
