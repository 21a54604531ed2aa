import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import express, { type RequestHandler } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { type CacheOptions, createCache, type HttpCacheOptions } from '../../src/index.js'
import { deferred, until } from '../until.js'
import { cacheStatus, close, isHit, listen, portOf, send } from './harness.js'

// Handlers that run for the cache, and not for the client who made them run.

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const end of closing.splice(0).reverse()) await end()
})

interface Site {
  /** How often the handler ran. */
  runs: number
  /** Makes what is stored stale. */
  expire(): Promise<unknown>
  get(path?: string): ReturnType<typeof send>
}

/** A site whose responses are fresh for a minute, or until they are told to be stale. */
async function site(
  handler: (run: number, res: express.Response, req: express.Request) => unknown,
  options: HttpCacheOptions = {},
  cacheOptions: CacheOptions = {},
  before: RequestHandler = (_req, _res, next) => next(),
): Promise<Site> {
  const cache = createCache({ jitterRatio: 0, earlyRefresh: 0, ...cacheOptions })
  const app = express()
  app.use(before)
  app.use(cache.http({ ttlMs: 60_000, tags: ['all'], staleWhileRevalidateMs: 60_000, ...options }))
  app.use((req, res) => handler(++made.runs, res, req))
  app.use(((_error, _req, res, _next) => void res.status(500).end('failed')) as express.ErrorRequestHandler)
  const server = await listen(app as never)
  closing.push(
    () => cache.close(),
    () => close(server),
  )
  const made: Site = {
    runs: 0,
    expire: () => cache.invalidateTags(['all'], { soft: true }),
    get: (path = '/a') => send(portOf(server), 'GET', path),
  }
  return made
}

const BODY = 'x'.repeat(300_000)
const folder = mkdtempSync(join(tmpdir(), 'scale-cache-'))
writeFileSync(join(folder, 'file.txt'), BODY)
process.on('exit', () => rmSync(folder, { recursive: true }))

const chunks = (run: number): Readable => Readable.from([`run ${run} `, BODY, BODY.slice(0, 10)])

describe('a stale response is replaced in the background by a handler that', () => {
  const kinds: [string, (run: number, res: express.Response, done: (error?: unknown) => void) => unknown][] =
    [
      ['pipes', (run, res, done) => chunks(run).pipe(res).on('finish', done)],
      ['awaits a pipeline', (run, res, done) => pipeline(chunks(run), res).then(() => done(), done)],
      [
        'sends a file',
        (_run, res, done) => res.sendFile('file.txt', { root: folder, cacheControl: false }, done),
      ],
      [
        'writes, and waits for each chunk and for the end',
        (run, res, done) =>
          res.write(`run ${run}`, () =>
            res.write('more', () => res.end(() => res.writableFinished && done())),
          ),
      ],
      ['waits for the connection to be closed', (run, res, done) => res.on('close', done).send(`run ${run}`)],
    ]
  it.each(kinds)('%s', async (_, answer) => {
    const ended: unknown[] = []
    const s = await site((run, res) => answer(run, res, (error) => ended.push(error)), {
      policy: 'route',
    })
    const first = await s.get()
    await s.expire()
    const stale = await s.get()
    expect(stale.body).toBe(first.body)
    expect(cacheStatus(stale)).toContain('stale-while-revalidate')
    // The handler heard both times that all is well.
    await until(() => ended.length === 2)
    expect(ended).toEqual([undefined, undefined])
    expect(s.runs).toBe(2)
    await until(async () => {
      const next = await s.get()
      return (
        isHit(next) && !cacheStatus(next).includes('stale') && next.body.startsWith(first.body.slice(0, 3))
      )
    })
  })

  it('comes after everything that the client was sent, whose own listeners hear of one response', async () => {
    const heard: string[] = []
    const closed: number[] = []
    const s = await site(
      (run, res) => {
        heard.push(`run ${run}`)
        res.on('close', () => closed.push(run)).send(`run ${run}`)
      },
      {},
      {},
      (_req, res, next) => {
        res.on('finish', () => heard.push(`finish ${res.statusCode} ${res.writableEnded}`))
        res.on('close', () => heard.push('close'))
        next()
      },
    )
    await s.get()
    await s.expire()
    await s.get()
    await until(() => closed.includes(2))
    expect(heard).toEqual(['run 1', 'finish 200 true', 'close', 'finish 200 true', 'close', 'run 2'])
  })

  it('does not wait long for a client that is slow to take its answer: the next one has it run', async () => {
    let requests = 0
    const slowIsDone = deferred()
    const s = await site(
      (run, res) => res.send(`run ${run}`),
      {},
      { leaseMs: 300 },
      (_req, res, next) => {
        const { end } = res
        const isSlow = ++requests === 2
        if (isSlow) {
          res.end = ((...args: unknown[]) => {
            slowIsDone.promise.then(() => Reflect.apply(end, res, args))
            return res
          }) as typeof res.end
        }
        next()
      },
    )
    await s.get()
    await s.expire()
    const slow = s.get()
    await until(() => requests === 2)
    expect((await s.get()).body).toBe('run 1')
    expect(s.runs).toBe(1)
    await until(async () => (await s.get()).body === 'run 2')
    slowIsDone.resolve()
    expect((await slow).body).toBe('run 1')
    await delay(20)
    expect(cacheStatus(await s.get())).toContain('hit')
  })

  it('fails: the stale response stays', async () => {
    const s = await site((run, res) => {
      if (run > 1) throw new Error('no')
      res.send('run 1')
    })
    await s.get()
    await s.expire()
    await s.get()
    await until(() => s.runs === 2)
    expect(await s.get()).toMatchObject({ status: 200, body: 'run 1' })
  })

  it('says 304: the stale response is fresh again', async () => {
    const s = await site((run, res, req) => {
      res.set('ETag', '"v"')
      if (req.get('if-none-match') === '"v"') res.status(304)
      res.end(run === 1 ? 'run 1' : undefined)
    })
    await s.get()
    await s.expire()
    const stale = await s.get()
    expect(cacheStatus(stale)).toContain('stale-while-revalidate')
    await until(() => s.runs === 2)
    await until(async () => {
      const again = await s.get()
      expect(again.body).toBe('run 1')
      return isHit(again) && !cacheStatus(again).includes('stale')
    })
  })

  it('never ends: it is ended at the limit of loaders, and hears of it', async () => {
    const closed: number[] = []
    const s = await site(
      (run, res) => {
        res.on('close', () => closed.push(run))
        if (run !== 2) res.send(`run ${run}`)
      },
      {},
      { loaderTimeoutMs: 200, leaseMs: 60 },
    )
    await s.get()
    await s.expire()
    await s.get()
    await until(() => s.runs === 2)
    expect((await s.get()).body).toBe('run 1')
    await until(() => closed.includes(2))
    await until(async () => (await s.get()).body !== 'run 1')
  })
})

describe('a handler that runs for a client, and for those who wait', () => {
  it('is replaced when it hangs: the next one leads, though the client is still there', async () => {
    const hangs = deferred()
    const s = await site(
      async (run, res) => {
        if (run === 1) await hangs.promise
        res.send(`run ${run}`)
      },
      { ttlMs: 60_000 },
      { loaderTimeoutMs: 200, leaseMs: 60, waitMs: 5_000 },
    )
    const first = s.get()
    await until(() => s.runs === 1)
    const waiters = await Promise.all([s.get(), s.get(), s.get()])
    expect(waiters.map(({ body }) => body)).toEqual(['run 2', 'run 2', 'run 2'])
    hangs.resolve()
    expect((await first).body).toBe('run 1')
    // What the late one brings does not replace what is newer.
    expect((await s.get()).body).toBe('run 2')
    expect(s.runs).toBe(2)
  })

  it('fails where a stale response may stand in: all get that, and it ran once', async () => {
    const fails = deferred()
    const s = await site(
      async (run, res) => {
        if (run === 1) return res.send('run 1')
        await fails.promise
        res.status(503).send('no')
      },
      { staleWhileRevalidateMs: 0, staleIfErrorMs: 60_000 },
    )
    await s.get()
    await s.expire()
    const asked = Array.from({ length: 10 }, () => s.get())
    await until(() => s.runs === 2)
    await delay(50)
    fails.resolve()
    for (const answer of await Promise.all(asked)) {
      expect(answer).toMatchObject({ status: 200, body: 'run 1' })
      expect(cacheStatus(answer)).toContain('stale-if-error')
    }
    expect(s.runs).toBe(2)
  })
})

it('leaves HTTP/2 alone, whose requests and responses are of another kind', async () => {
  const cache = createCache()
  const middleware = cache.http()
  let runs = 0
  const server = createServer((req, res) => {
    middleware(req as unknown as IncomingMessage, res as unknown as ServerResponse, () => {
      Readable.from([`run ${++runs}`]).pipe(res)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  closing.push(
    () => cache.close(),
    () => new Promise((resolve) => server.close(resolve)),
    () => session.close(),
  )
  const bodies: string[] = []
  for (const method of ['GET', 'GET', 'POST', 'HEAD']) {
    const stream = session.request({ ':path': '/a', ':method': method, host: 'site.example' })
    bodies.push(String(await buffer(stream)))
  }
  expect(bodies).toEqual(['run 1', 'run 2', 'run 3', ''])
})
