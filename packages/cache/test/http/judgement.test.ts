import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { createCache, type HttpCacheOptions } from '../../src/index.js'
import { until } from '../until.js'
import { answering, type Handler, isHit, listen, portOf, type Site, send, site } from './harness.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function open(
  handler: Handler,
  options: HttpCacheOptions = {},
  cacheOptions: Parameters<typeof site>[3] = {},
): Promise<Site> {
  const opened = await site('express 5', handler, options, cacheOptions)
  closing.push(opened.close)
  return opened
}

/** A site whose handler is told how often it has run, from 1. */
function runs(handler: (run: number, ...args: Parameters<Handler>) => unknown): Handler {
  let run = 0
  return (req, res) => handler(++run, req, res)
}

describe('what a response forbids', () => {
  it.each<[string, Record<string, string>]>([
    ['no-store', { 'Cache-Control': 'no-store' }],
    ['private', { 'Cache-Control': 'private, max-age=60' }],
    ['a lifetime of 0', { 'Cache-Control': 'max-age=0' }],
    ['an Expires in the past', { Expires: '0' }],
    ['no-store in the target field', { 'CDN-Cache-Control': 'no-store' }],
  ])('is heard if it was set before the middleware: %s', async (_name, fields) => {
    const cache = createCache()
    const app = express()
    app.use((_req, res, next) => {
      res.set(fields)
      next()
    })
    app.use(cache.http(), (_req, res) => {
      res.send('body')
    })
    const server = await listen(app as never)
    closing.push(
      () => server.close(),
      () => cache.close(),
    )
    for (let i = 0; i < 2; i++) expect(isHit(await send(portOf(server), 'GET', '/a'))).toBe(false)
  })

  it.each([
    'private=""',
    'no-cache=""',
    'max-age=60, community="x, no-store',
    'max-age=60, private="x-user',
    'max-age=60, x="\\", no-store',
  ])('is heard if it is malformed: %s', async (field) => {
    const s = await open(answering(() => ({ headers: { 'Cache-Control': field } })))
    for (let i = 0; i < 2; i++) expect(isHit(await s.get('/a'))).toBe(false)
  })
})

describe('a 304 of the handler', () => {
  const stale = { 'Cache-Control': 'max-age=1', ETag: '"v1"' }

  /** Stores, waits until it is stale, and asks again. */
  async function revalidated(
    first: Record<string, string>,
    second: Record<string, string>,
    options: HttpCacheOptions = {},
    request: Record<string, string> = {},
  ) {
    const s = await open(
      runs((run, req, res) =>
        answering(() => (run === 1 ? { headers: first } : { status: 304, headers: second, body: '' }))(
          req,
          res,
        ),
      ),
      options,
    )
    await s.get('/a', request)
    await delay(1_050)
    const answer = await s.get('/a', request)
    return { s, answer, next: () => s.get('/a', request) }
  }

  it('does not send on, or store, the target field of this cache', async () => {
    const { answer, next } = await revalidated(
      { ETag: '"v1"', 'Scale-Cache-Control': 'max-age=1' },
      { ETag: '"v1"', 'Scale-Cache-Control': 'max-age=60' },
    )
    for (const one of [answer, await next()]) {
      expect(one.status).toBe(200)
      expect(one.headers).not.toHaveProperty('scale-cache-control')
    }
    expect(isHit(await next())).toBe(true)
  })

  it('leaves a partitioned response private downstream', async () => {
    const { answer, next } = await revalidated(
      stale,
      { 'Cache-Control': 'public, max-age=60', ETag: '"v1"' },
      { partition: (req) => String(req.headers.authorization) },
      { authorization: 'a' },
    )
    for (const one of [answer, await next()]) expect(one.headers['cache-control']).toContain('private')
  })

  it('stores no field that it names in private or no-cache', async () => {
    const { next } = await revalidated(stale, {
      'Cache-Control': 'max-age=60, private="x-user", no-cache="x-once"',
      ETag: '"v1"',
      'X-User': 'ada',
      'X-Once': '1',
    })
    const hit = await next()
    expect(isHit(hit)).toBe(true)
    expect(hit.headers).not.toHaveProperty('x-user')
    expect(hit.headers).not.toHaveProperty('x-once')
  })

  it('does not make the response vary on less', async () => {
    const s = await open(
      runs((run, req, res) => {
        const language = req.headers['accept-language']
        res.setHeader('Cache-Control', run === 1 ? 'max-age=1' : 'max-age=60')
        res.setHeader('ETag', '"v1"')
        if (run > 1) res.setHeader('Vary', 'Accept')
        res.statusCode = run === 1 ? 200 : 304
        res.end(run === 1 ? String(language) : undefined)
      }),
    )
    const ask = () => s.get('/a', { 'accept-language': 'de' })
    expect((await ask()).headers.vary).toContain('accept-language')
    await delay(1_050)
    const answer = await ask()
    expect([answer.status, answer.body]).toEqual([200, 'de'])
    expect(answer.headers.vary?.toLowerCase()).toContain('accept-language')
    // It varies on more than its key says: what was stored is not confirmed by that for others.
    expect(isHit(await s.get('/a', { 'accept-language': 'de', accept: 'text/plain' }))).toBe(false)
  })

  it('is not stored if the handler read something personal for it', async () => {
    const s = await open(
      runs((run, req, res) => {
        res.setHeader('Cache-Control', run === 1 ? 'max-age=1' : 'max-age=60')
        res.setHeader('ETag', '"v1"')
        if (run > 1) void (req as unknown as { session: unknown }).session
        res.statusCode = run === 1 ? 200 : 304
        res.end(run === 1 ? 'body' : undefined)
      }),
    )
    await s.get('/a')
    await delay(1_050)
    expect((await s.get('/a')).body).toBe('body')
    expect(isHit(await s.get('/a'))).toBe(false)
  })
})

describe('what a handler writes', () => {
  it('is stored as it was when it was written, whatever becomes of the buffer', async () => {
    const s = await open((_req, res) => {
      const buffer = Buffer.from('first ')
      res.write(buffer, () => {
        buffer.fill('X')
        res.end('second')
      })
    })
    expect((await s.get('/a')).body).toBe('first second')
    const hit = await s.get('/a')
    expect([isHit(hit), hit.body]).toEqual([true, 'first second'])
  })
})

describe('invalidation by unsafe requests', () => {
  it('takes the default port, said or not, as the same origin', async () => {
    const s = await open((_req, res) => res.end('body'))
    const host = 'site.example'
    await s.get('/a', { host })
    expect(isHit(await s.get('/a', { host }))).toBe(true)
    await s.send('POST', '/a', { host: `${host}:80` })
    expect(isHit(await s.get('/a', { host }))).toBe(false)
  })

  it('finds what Location names by the declared parameters too', async () => {
    const s = await open(
      (req, res) => {
        if (req.method === 'POST') res.setHeader('Location', '/list?utm=1&page=2')
        res.end('body')
      },
      { query: ['page'] },
    )
    await s.get('/list?page=2')
    expect(isHit(await s.get('/list?page=2'))).toBe(true)
    await s.send('POST', '/add')
    expect(isHit(await s.get('/list?page=2'))).toBe(false)
  })

  it('comes too if the client does not wait for the end of the answer', async () => {
    const s = await open((req, res) => {
      if (req.method !== 'POST') return res.end('body')
      res.write('begun', () => res.destroy())
    })
    await s.get('/a')
    expect(isHit(await s.get('/a'))).toBe(true)
    await s.send('POST', '/a').catch(() => {})
    await until(async () => !isHit(await s.get('/a')))
  })

  it('sends what was ended first, though the handler ends twice', async () => {
    const s = await open((_req, res) => {
      res.end('first')
      res.end('second')
    })
    expect((await s.send('POST', '/a')).body).toBe('first')
  })
})
