import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  accessToken,
  InvalidToken,
  KeysUnavailable,
  keySetChannel,
  type RemoteKeys,
  type RemoteKeysOptions,
  remoteKeys,
} from '../../src/index.js'
import { key, mint, NOW_MS, options, type TestKey, testKey } from '../tokens.js'
import { type Provider, startProvider } from './provider.js'

/** Where a fault is waited for: short for that, long enough for a provider that is well again on a busy machine. */
const TIMEOUT_MS = 1_000

let provider: Provider
let proxy: FaultProxy
let nowMs: number
const second = testKey('ES256', 'k2')

let warm: Provider
beforeAll(async () => {
  warm = await startProvider([])
})
afterAll(() => warm.close())

beforeEach(async () => {
  nowMs = NOW_MS
  provider = await startProvider([key.jwk])
  proxy = await startFaultProxy({ target: provider })
  // Node loads its `fetch` at the first use, which takes a while and is not the provider's fault.
  await fetch(`http://127.0.0.1:${warm.port}`)
})
afterEach(async () => {
  await proxy.close()
  await provider.close()
})

function keysOf(changes: RemoteKeysOptions = {}): RemoteKeys {
  const url = `http://127.0.0.1:${proxy.port}/jwks`
  return remoteKeys(url, { allowHttp: true, clock: () => nowMs, timeoutMs: 10_000, ...changes })
}

/** `accepted`, or why not. */
async function outcomeOf(keys: RemoteKeys, by: TestKey = key): Promise<string> {
  const { verify } = accessToken(options({ keys }))
  return verify(await mint({ key: by })).then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof InvalidToken) return error.reason
      expect(error).toBeInstanceOf(KeysUnavailable)
      expect((error as KeysUnavailable).status).toBe(503)
      expect(Number((error as KeysUnavailable).headers?.['Retry-After'])).toBeGreaterThan(0)
      return 'unavailable'
    },
  )
}

/** Waits until no fetch is under way: a channel message tells of each. */
async function settled(count: number, act: () => unknown): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = count
    const stop = keySetChannel.subscribe(() => {
      if (--left > 0) return
      stop()
      resolve()
    })
    void act()
  })
}

describe('a provider that is well', () => {
  it('is asked at the start, and once for everybody', async () => {
    const keys = keysOf()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcomeOf(keys)))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    await keys.ready()
    expect(provider.requests).toBe(1)
  })

  it('is asked for unknown kids three times at once and then once in the cooldown, however many there are', async () => {
    const keys = keysOf()
    await keys.ready()
    const strangers = Array.from({ length: 20 }, (_, i) => ({ ...second, kid: `random-${i}` }))
    for (const one of strangers) expect(await outcomeOf(keys, one)).toBe('key')
    expect(provider.requests).toBe(4)
    for (let second = 0; second < 30; second++) {
      expect(await outcomeOf(keys, strangers[0])).toBe('key')
      expect(provider.requests).toBe(4)
      nowMs += 1_000
    }
    expect(await Promise.all(strangers.map((one) => outcomeOf(keys, one)))).toEqual(
      strangers.map(() => 'key'),
    )
    for (const one of strangers) expect(await outcomeOf(keys, one)).toBe('key')
    expect(provider.requests).toBe(5)
    // After a long time there are three again, and not more.
    nowMs += 86_400_000 - 1
    for (const one of strangers) expect(await outcomeOf(keys, one)).toBe('key')
    expect(provider.requests).toBe(8)
  })

  it('may change its keys right after it was asked, and again', async () => {
    const keys = keysOf()
    await keys.ready()
    for (const kid of ['n1', 'n2']) {
      const next = testKey('ES256', kid)
      provider.keys = [next.jwk]
      expect(await outcomeOf(keys, next)).toBe('accepted')
    }
  })

  it('may change its keys at any time', async () => {
    const keys = keysOf()
    await keys.ready()
    provider.keys = [second.jwk]
    nowMs += 30_000
    expect(await outcomeOf(keys, second)).toBe('accepted')
    expect(await outcomeOf(keys)).toBe('key')
    expect(provider.requests).toBe(3)
  })

  it('is asked ahead of time, while requests go on with the keys at hand', async () => {
    const keys = keysOf()
    await keys.ready()
    nowMs += 300_000
    await settled(1, async () => expect(await outcomeOf(keys)).toBe('accepted'))
    expect(provider.requests).toBe(2)
  })

  it('is waited for when the keys are old: one that was withdrawn does not pass', async () => {
    const keys = keysOf()
    await keys.ready()
    provider.keys = [second.jwk]
    nowMs += 600_000
    expect(await outcomeOf(keys)).toBe('key')
  })
})

describe('a provider that is silent after a time without requests, when the keys are old', () => {
  it('is waited for a moment, and not until its time is over', async () => {
    const keys = keysOf({ timeoutMs: 60_000 })
    await keys.ready()
    provider.answer = () => {}
    nowMs += 600_000
    let answers = 0
    const stop = keySetChannel.subscribe(() => answers++)
    const first = keys.find('ES256', 'k1')
    expect(first).toBeInstanceOf(Promise)
    expect(await Promise.all([first, outcomeOf(keys)])).toEqual([expect.anything(), 'accepted'])
    // From then on nobody waits, though the provider has neither answered nor failed. A timer may be a millisecond early.
    await expect.poll(() => keys.find('ES256', 'k1') instanceof Promise).toBe(false)
    expect(answers).toBe(0)
    stop()
    provider.answer = undefined
  })
})

const faults: [name: string, begin: () => unknown, end: () => unknown][] = [
  ['refuses connections', () => proxy.set({ refuse: true }).then(() => proxy.reset()), () => proxy.clear()],
  ['is a black hole', () => proxy.set({ blackHole: true }).then(() => proxy.halfOpen()), () => proxy.clear()],
  ['is far too slow', () => proxy.set({ latencyMs: 5_000 }), () => proxy.clear()],
  [
    'answers 500',
    () => (provider.answer = (res) => res.writeHead(500).end()),
    () => (provider.answer = undefined),
  ],
]

describe.each(faults)('a provider that %s', (_, begin, end) => {
  it('costs nothing to tokens under known keys, is left alone, and comes back by itself', async () => {
    const keys = keysOf({ timeoutMs: TIMEOUT_MS })
    await keys.ready()
    await begin()
    const before = provider.requests + proxy.connections
    // Two minutes of load, past the age at which keys are renewed, in steps of a second.
    nowMs += 600_000
    await settled(1, () => outcomeOf(keys))
    let failures = 0
    const stop = keySetChannel.subscribe(({ outcome }) => {
      if (outcome === 'failed') failures++
    })
    for (let second = 0; second < 120; second++) {
      nowMs += 1_000
      // No promise, so nobody waits for the provider.
      expect(keys.find('ES256', 'k1')).not.toBeInstanceOf(Promise)
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcomeOf(keys)))
      expect(new Set(outcomes)).toEqual(new Set(['accepted']))
    }
    // 1, 2, 4 … 60 s of pause, each halved at worst: 1,200 requests came to this few questions.
    await settledNow()
    expect(failures).toBeLessThan(14)
    expect(provider.requests + proxy.connections - before).toBeLessThan(20)
    stop()
    await end()
    nowMs += 60_000
    await settled(1, () => outcomeOf(keys))
    nowMs += 1
    expect(await outcomeOf(keys, second)).toBe('key')
  })

  it('is a 503 for those whose key nobody knows, never a 401', async () => {
    await begin()
    const keys = keysOf({ timeoutMs: TIMEOUT_MS })
    expect(await outcomeOf(keys)).toBe('unavailable')
    await expect(keys.ready()).rejects.toThrow(KeysUnavailable)
    await end()
    nowMs += 60_000
    expect(await outcomeOf(keys)).toBe('accepted')
    await begin()
    nowMs += 30_000
    expect([await outcomeOf(keys), await outcomeOf(keys, second)]).toEqual(['accepted', 'unavailable'])
  })

  it('is forgiven for a day, and no longer', async () => {
    const keys = keysOf({ timeoutMs: TIMEOUT_MS })
    await keys.ready()
    await begin()
    nowMs += 86_399_000
    await settled(1, () => outcomeOf(keys))
    expect(await outcomeOf(keys)).toBe('accepted')
    nowMs += 1_000
    expect(await outcomeOf(keys)).toBe('unavailable')
  })
})

/** Lets a fetch that is under way come to its end: none takes longer than its time limit. */
async function settledNow(): Promise<void> {
  const url = `http://127.0.0.1:${proxy.port}/jwks`
  const last = remoteKeys(url, { allowHttp: true, timeoutMs: 2 * TIMEOUT_MS })
  await last.ready().catch(() => {})
}

describe('a clock that is set', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each([-3_600_000, 3_600_000])(
    'by %i ms changes nothing: a provider that failed once is asked again',
    async (byMs) => {
      const keys = remoteKeys(`http://127.0.0.1:${proxy.port}/jwks`, { allowHttp: true, backoffMs: 10 })
      provider.answer = (res) => res.writeHead(500).end()
      await expect(keys.ready()).rejects.toThrow(KeysUnavailable)
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + byMs })
      expect(await outcomeOf(keys)).toBe('unavailable')
      provider.answer = undefined
      await expect.poll(() => outcomeOf(keys), { timeout: 5_000 }).toBe('accepted')
    },
  )

  it('never makes clients wait for longer than the longest pause', async () => {
    const keys = remoteKeys(`http://127.0.0.1:${proxy.port}/jwks`, { allowHttp: true, backoffMs: 60_000 })
    provider.answer = (res) => res.writeHead(500).end()
    await expect(keys.ready()).rejects.toThrow(KeysUnavailable)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    const error = await keys.ready().catch((reason: unknown) => reason as KeysUnavailable)
    expect(Number(error?.headers?.['Retry-After'])).toBeLessThanOrEqual(60)
  })
})

describe('an answer that is no key set', () => {
  const answers: [name: string, answer: (res: import('node:http').ServerResponse) => void][] = [
    ['a redirect', (res) => res.writeHead(302, { location: provider.url }).end()],
    ['no JSON', (res) => res.end('<html>')],
    ['no keys', (res) => res.end('{}')],
    ['null', (res) => res.end('null')],
    ['an empty list', (res) => res.end('{"keys":[]}')],
    ['more keys than anybody has', (res) => res.end(JSON.stringify({ keys: Array(101).fill(key.jwk) }))],
    [
      'a shared secret',
      (res) =>
        res.end('{"keys":[{"kty":"oct","kid":"k1","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}'),
    ],
    ['too much', (res) => res.end(JSON.stringify({ keys: [key.jwk], x: 'x'.repeat(300_000) }))],
    ['204', (res) => res.writeHead(204).end()],
  ]
  it.each(answers)('%s', async (_, answer) => {
    provider.answer = answer
    expect(await outcomeOf(keysOf())).toBe('unavailable')
    expect(provider.requests).toBe(1)
  })

  it('a set with one bad key among good ones is used without it', async () => {
    provider.keys = [
      { kty: 'RSA', kid: 'bad' },
      null as never,
      { ...key.jwk, kid: 'enc', use: 'enc' },
      key.jwk,
    ]
    expect(await outcomeOf(keysOf())).toBe('accepted')
  })
})

describe('options', () => {
  it('https only, without credentials, unless said otherwise', () => {
    for (const url of ['http://a.example/', 'ftp://a.example/', 'nonsense', 'https://u:p@a.example/']) {
      expect(() => remoteKeys(url)).toThrow(/must be an https: URL/)
    }
  })
  it('ages in order', () => {
    expect(() => keysOf({ refreshAfterMs: 10, maxAgeMs: 5 })).toThrow(/must hold/)
  })
})
