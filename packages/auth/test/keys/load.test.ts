import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'
import express from 'express'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accessToken, remoteKeys } from '../../src/index.js'
import { listen, type RunningApp } from '../app.js'
import { key, mint, options } from '../tokens.js'
import { type Provider, startProvider } from './provider.js'

// The faults of `remote.test.ts` again, in real time and over real sockets.

const REQUESTS = 2_000
const AT_ONCE = 20

let provider: Provider
let proxy: FaultProxy
let app: RunningApp
let agent: Agent
const token = await mint()

beforeEach(async () => {
  provider = await startProvider([key.jwk])
  proxy = await startFaultProxy({ target: provider })
  const keys = remoteKeys(`http://127.0.0.1:${proxy.port}/jwks`, {
    allowHttp: true,
    timeoutMs: 300,
    refreshAfterMs: 100,
    maxAgeMs: 30_000,
    maxStaleMs: 600_000,
    cooldownMs: 100,
    backoffMs: 50,
  })
  // The first answer may be late on a busy machine.
  await vi.waitFor(() => keys.ready(), 20_000)
  const tokens = accessToken(options({ keys }))
  app = await listen(express().get('/orders', tokens, (_req, res) => void res.sendStatus(204)))
  agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
})
afterEach(async () => {
  agent.destroy()
  await app.close()
  await proxy.close()
  await provider.close()
})

async function ask(text = token): Promise<number> {
  const sent = request(`${app.url}/orders`, { agent, headers: { authorization: `Bearer ${text}` } }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response.statusCode!
}

/** Statuses, and the 99th percentile of the time that requests took, in ms. */
async function load(): Promise<{ statuses: Set<number>; p99: number }> {
  const statuses = new Set<number>()
  const times: number[] = []
  let left = REQUESTS
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const startedAt = performance.now()
        statuses.add(await ask())
        times.push(performance.now() - startedAt)
      }
    }),
  )
  return { statuses, p99: times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]! }
}

const faults: [name: string, begin: () => unknown][] = [
  ['is killed', () => proxy.set({ refuse: true }).then(() => proxy.reset())],
  ['is a black hole', () => proxy.set({ blackHole: true })],
  ['is far too slow', () => proxy.set({ latencyMs: 2_000 })],
]

describe.each(faults)('a provider that %s under load', (_, begin) => {
  it('changes nothing for tokens under known keys, is not run over, and is back without a restart', async () => {
    const well = await load()
    await begin()
    const before = provider.requests + proxy.connections
    const startedAt = performance.now()
    const ill = await load()
    const rounds = Math.ceil((performance.now() - startedAt) / 1_000)
    expect([...well.statuses, ...ill.statuses]).toEqual([204, 204])
    // The same machine in the same minute; the wait for the provider would be 300 ms.
    expect(ill.p99).toBeLessThan(3 * well.p99 + 50)
    // One question at a time, after pauses of 25 ms and more that double: not one a request.
    expect(provider.requests + proxy.connections - before).toBeLessThan(20 * rounds)
    await proxy.clear()
    const again = provider.requests
    await expect
      .poll(async () => [await ask(), provider.requests > again], { timeout: 20_000 })
      .toEqual([204, true])
  })
})
