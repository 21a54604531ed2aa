import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PolicyOptions, UpstreamOptions } from '../src/index.js'
import { type Upstream, upstream } from '../src/index.js'
import { fine, type Service, startService } from './server.js'

let service: Service
let open: Upstream[] = []

beforeEach(async () => {
  service = await startService(fine)
})

afterEach(async () => {
  await service.close()
  await Promise.all(open.map((one) => one.close()))
  open = []
})

function call(policy: PolicyOptions = {}, more: Partial<UpstreamOptions> = {}): Upstream {
  const one = upstream({
    name: 'service',
    baseUrl: service.url,
    policy: { retryBaseMs: 1, ...policy },
    ...more,
  })
  open.push(one)
  return one
}

it('is a fetch', async () => {
  const response = await call().fetch('/a?b=c', { method: 'POST', body: 'x' })
  expect(await response.text()).toBe('fine')
  expect(service.seen).toMatchObject([{ method: 'POST', url: '/a?b=c' }])
})

it('sends forms, and sends them again', async () => {
  const bodies: string[] = []
  service.answer = (req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      bodies.push(`${req.headers['content-type']} ${Buffer.concat(chunks)}`)
      res.writeHead(bodies.length === 1 ? 503 : 200).end()
    })
  }
  const body = new FormData()
  body.set('field', 'value')
  expect((await call().fetch('/', { method: 'PUT', body })).status).toBe(200)
  expect(bodies).toHaveLength(2)
  expect(bodies[1]).toContain('multipart/form-data; boundary=')
  expect(bodies[1]).toContain('name="field"\r\n\r\nvalue\r\n')
})

describe('repetition', () => {
  it('repeats a read that was answered by 503, and gives the last answer', async () => {
    service.answer = (_req, res) => {
      res.writeHead(service.seen.length < 3 ? 503 : 200).end('x')
    }
    const response = await call().fetch('/')
    expect(response.status).toBe(200)
    expect(service.seen).toHaveLength(3)
  })

  it.each([
    ['POST', 1],
    ['PATCH', 1],
    ['PUT', 3],
    ['DELETE', 3],
    ['GET', 3],
  ])('sends a failing %s %i times', async (method, times) => {
    service.answer = (req) => {
      req.socket.destroy()
    }
    await expect(call().fetch('/', { method })).rejects.toMatchObject({
      code: 'ERR_SCALE_UPSTREAM_FAILED',
      status: 502,
    })
    expect(service.seen).toHaveLength(times)
  })

  it('repeats a POST with an idempotency key', async () => {
    service.answer = (_req, res) => {
      res.writeHead(503).end()
    }
    const response = await call().fetch('/', {
      method: 'POST',
      headers: { 'idempotency-key': 'k' },
      body: 'x',
    })
    expect(response.status).toBe(503)
    expect(service.seen).toHaveLength(3)
  })

  it('repeats a POST of which nothing was sent', async () => {
    await service.proxy.set({ refuse: true })
    const posts = call({ retryBaseMs: 400, maxRetries: 5 }).fetch('/', { method: 'POST', body: 'x' })
    await service.proxy.clear()
    expect((await posts).status).toBe(200)
    expect(service.seen).toHaveLength(1)
  })

  it('never repeats a body that is a stream', async () => {
    service.answer = (req) => {
      req.socket.destroy()
    }
    const body = new Blob(['x']).stream()
    await expect(call().fetch('/', { method: 'PUT', body })).rejects.toMatchObject({ status: 502 })
    expect(service.seen).toHaveLength(1)
  })
})

describe('time', () => {
  it('ends at the deadline when nothing comes', async () => {
    await service.proxy.set({ blackHole: true })
    const startedAt = performance.now()
    await expect(call({ deadlineMs: 200 }).fetch('/')).rejects.toMatchObject({
      code: 'ERR_SCALE_UPSTREAM_TIMEOUT',
      status: 504,
    })
    expect(performance.now() - startedAt).toBeGreaterThan(195)
  })

  it('ends a body that trickles at the deadline, and closes its connection', async () => {
    let isOpen = true
    service.answer = (_req, res) => {
      const timer = setInterval(() => res.write('x'), 5)
      res.on('close', () => {
        clearInterval(timer)
        isOpen = false
      })
    }
    const api = call({ deadlineMs: 200 })
    const response = await api.fetch('/')
    expect(api.inFlight).toBe(1)
    await expect(response.text()).rejects.toMatchObject({ code: 'ERR_SCALE_UPSTREAM_TIMEOUT' })
    await expect.poll(() => isOpen).toBe(false)
    expect(api.inFlight).toBe(0)
  })
})

describe('for a request', () => {
  interface Outcome {
    status: number | undefined
    code: string | undefined
  }

  /** Calls the service for a request that itself is made with these headers. */
  async function through(
    api: Upstream,
    headers: Record<string, string>,
    leaving: () => Promise<unknown> = () => new Promise(() => {}),
  ): Promise<Outcome> {
    const app = express()
    let told!: (code: string | undefined) => void
    const code = new Promise<string | undefined>((resolve) => {
      told = resolve
    })
    app.get('/', async (req, res) => {
      try {
        const answer = await api.fetch('/', { req })
        res.status(answer.status).send(await answer.text())
        told(undefined)
      } catch (error) {
        res.status((error as { status: number }).status).end()
        told((error as { code: string }).code)
      }
    })
    const server = app.listen(0)
    const { port } = server.address() as AddressInfo
    const client = request({ port, headers })
    const status = new Promise<number | undefined>((resolve) => {
      client.on('response', (res) => resolve(res.resume().statusCode))
      client.on('error', () => resolve(undefined))
    })
    client.end()
    leaving().then(() => client.destroy())
    const outcome = { status: await status, code: await code }
    server.close()
    server.closeAllConnections()
    return outcome
  }

  it('ends by the deadline of its client', async () => {
    await service.proxy.set({ blackHole: true })
    const startedAt = performance.now()
    expect(await through(call(), { 'request-timeout': '0.1' })).toMatchObject({ status: 504 })
    // The policy would have waited for three seconds.
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('tells the service what is left of it', async () => {
    await through(call(), { 'request-timeout': '2.5' })
    const told = Number(service.seen[0]!.headers['request-timeout'])
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThanOrEqual(2.5)
  })

  it('ends when the client leaves, and closes its connection', async () => {
    let isOpen = false
    service.answer = (_req, res) => {
      isOpen = true
      res.on('close', () => {
        isOpen = false
      })
    }
    const api = call()
    const arrived = (): Promise<unknown> => vi.waitUntil(() => isOpen, 10_000)
    expect(await through(api, {}, arrived)).toMatchObject({ code: 'ERR_SCALE_CALL_ABORTED' })
    await expect.poll(() => isOpen).toBe(false)
    expect(api.inFlight).toBe(0)
    expect(api.state).toBe('closed')
  })
})

describe('stale', () => {
  it('gives the last good answer, then what a function makes, then the failure', async () => {
    const entries = new Map()
    const api = call({ maxRetries: 0 }, { stale: entries })
    expect(await (await api.fetch('/a')).text()).toBe('fine')
    service.answer = (_req, res) => {
      res.writeHead(500).end('down')
    }
    expect(await (await api.fetch('/a')).text()).toBe('fine')
    expect((await api.fetch('/b')).status).toBe(500)
    await service.proxy.set({ refuse: true })
    service.proxy.reset()
    expect(await (await api.fetch('/a')).text()).toBe('fine')
    await expect(api.fetch('/b')).rejects.toMatchObject({ status: 502 })
    const other = call({}, { fallback: (_error, path) => new Response(`no ${path}`) })
    expect(await (await other.fetch('/b')).text()).toBe('no /b')
    // Plain data, for stores that write JSON.
    expect(JSON.parse(JSON.stringify([...entries]))).toEqual([...entries])
  })

  it.each([
    ['a private answer', { 'cache-control': 'private' }, {}],
    ['an answer that varies', { vary: 'Cookie' }, {}],
    ['what was asked for by somebody', {}, { authorization: 'Bearer x' }],
  ])('keeps nothing of %s', async (_what, answered, asked) => {
    const entries = new Map()
    service.answer = (_req, res) => {
      res.writeHead(200, { ...answered, 'content-length': '1' }).end('x')
    }
    await (await call({}, { stale: entries }).fetch('/', { headers: asked })).text()
    expect(entries.size).toBe(0)
  })
})

it('hedges reads, and nothing else', async () => {
  service.answer = (_req, res) => {
    if (service.seen.length !== 1) res.end('second')
  }
  const api = call({ hedgeAfterMs: 20 })
  expect(await (await api.fetch('/')).text()).toBe('second')
  service.seen.length = 0
  const put = api.fetch('/', { method: 'PUT', deadlineMs: 200 })
  await expect(put).rejects.toMatchObject({ status: 504 })
  expect(service.seen).toHaveLength(1)
})

it('waits as long as it is asked to, or not at all', async () => {
  const at: number[] = []
  service.answer = (_req, res) => {
    at.push(performance.now())
    if (at.length === 2) res.end()
    else res.writeHead(429, { 'retry-after': at.length === 1 ? '1' : '60' }).end()
  }
  const api = call()
  expect((await api.fetch('/')).status).toBe(200)
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(995)
  expect((await api.fetch('/')).status).toBe(429)
  expect(at).toHaveLength(3)
})

it('refuses what is no request as it is, and does not count it', async () => {
  const api = call({ minCalls: 1 })
  await expect(api.fetch('/', { body: 'x' })).rejects.toBeInstanceOf(TypeError)
  await expect(api.fetch('http://evil/')).rejects.toMatchObject({ code: 'ERR_SCALE_FOREIGN_ADDRESS' })
  expect(api.state).toBe('closed')
  expect(api.inFlight).toBe(0)
})

it.each([
  [{ baseUrl: 'ftp://x' }, /`baseUrl` must be/],
  [{ baseUrl: 'http://u:p@x' }, /`baseUrl` must be/],
  [{ policy: { maxRetrys: 1 } }, /Did you mean `maxRetries`/],
])('refuses %j', (options, message) => {
  expect(() => upstream({ name: 'x', baseUrl: 'http://x', ...(options as object) })).toThrow(message)
})
