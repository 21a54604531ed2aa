import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import compression from 'compression'
import cookieParser from 'cookie-parser'
import cors from 'cors'
import express5, { type RequestHandler } from 'express'
import sessions from 'express-session'
import express4 from 'express4'
import fc from 'fast-check'
import helmet from 'helmet'
import { createProxyMiddleware } from 'http-proxy-middleware'
import morgan from 'morgan'
import passport from 'passport'
import serveStatic from 'serve-static'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCache } from '../../src/index.js'
import { close, listen, portOf } from './harness.js'

const FILE = 'a file of some length, so that it is worth while to compress it. '.repeat(40)
const folder = mkdtempSync(join(tmpdir(), 'neighbours-'))
writeFileSync(join(folder, 'file.txt'), FILE)

let origin: Awaited<ReturnType<typeof listen>>
beforeAll(async () => {
  origin = await listen((req, res) => {
    res.setHeader('Cache-Control', 'max-age=60')
    res.setHeader('Content-Type', 'text/plain')
    res.end(`from the origin ${req.url} ${FILE}`)
  })
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await close(origin)
})

/** Each as its users mount it. */
const NEIGHBOURS: Record<string, () => RequestHandler> = {
  compression: () => compression({ threshold: 0 }),
  'express-session': () =>
    sessions({ secret: 's', resave: false, saveUninitialized: true }) as RequestHandler,
  'express-session, lazy': () =>
    sessions({ secret: 's', resave: true, saveUninitialized: false, rolling: true }) as RequestHandler,
  helmet: () => helmet() as RequestHandler,
  cors: () => cors(),
  'cors, by origin': () => cors({ origin: ['https://a.example', 'https://b.example'], credentials: true }),
  morgan: () => morgan('combined', { stream: { write: () => {} } }),
  'cookie-parser': () => cookieParser('secret'),
  passport: () => passport.initialize(),
}
const names = Object.keys(NEIGHBOURS)
/** What keeps responses from being stored behind the cache: a cookie for each, or a look at who asks. */
const keepsOut = (name: string, path: string): boolean => {
  const looks = name === 'morgan' || name === 'express-session, lazy'
  return name === 'express-session' || (looks && !path.startsWith('/proxied'))
}

interface Client {
  readonly encoding?: string
  readonly cookie?: string
  readonly origin?: string
}
const CLIENTS: readonly Client[] = [
  {},
  { encoding: 'gzip' },
  { encoding: 'br, gzip' },
  { origin: 'https://a.example' },
  { origin: 'https://b.example', encoding: 'gzip' },
  { cookie: 'who=alice' },
  { cookie: 'who=bob', encoding: 'gzip' },
]

interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

function ask(port: number, path: string, { encoding, cookie, origin }: Client): Promise<Reply> {
  const headers = {
    host: 'site.example',
    ...(encoding === undefined ? {} : { 'accept-encoding': encoding }),
    ...(cookie === undefined ? {} : { cookie }),
    ...(origin === undefined ? {} : { origin }),
  }
  return new Promise((resolve, reject) => {
    const req = request({ port, host: '127.0.0.1', path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const coding = res.headers['content-encoding']
        const decoders: Record<string, (bytes: Buffer) => Buffer> = {
          gzip: gunzipSync,
          br: brotliDecompressSync,
          deflate: inflateSync,
        }
        const body = coding === undefined ? bytes : decoders[coding]!(bytes)
        resolve({ status: res.statusCode!, headers: res.headers, body: body.toString() })
      })
    })
    req.on('error', reject)
    req.end()
  })
}

/** What each path answers, as far as it does not depend on who asks. */
const PATHS: Record<string, string> = {
  '/json': JSON.stringify({ text: FILE }),
  '/stream': FILE.repeat(3),
  '/files/file.txt': FILE,
  '/proxied/x': `from the origin /x ${FILE}`,
}

async function site(major: 4 | 5, front: readonly string[], behind: readonly string[]) {
  const cache = createCache({ jitterRatio: 0, earlyRefresh: 0 })
  const app = (major === 4 ? express4() : express5()) as ReturnType<typeof express5>
  for (const name of front) app.use(NEIGHBOURS[name]!())
  // What a proxy passes on is all that was sent: the origin says what it depends on.
  app.use('/proxied', cache.http({ ttlMs: 60_000, unkeyed: 'trust' }))
  app.use(cache.http({ ttlMs: 60_000 }))
  for (const name of behind) app.use(NEIGHBOURS[name]!())
  app.get('/json', (_req, res) => {
    res.json({ text: FILE })
  })
  app.get('/stream', (_req, res) => {
    res.type('text/plain')
    Readable.from([FILE, FILE, FILE]).pipe(res)
  })
  app.get('/mine', (req, res) => {
    const cookies = (req as { cookies?: Record<string, string> }).cookies
    const visits = (req as { session?: { id: string } }).session?.id ?? 'none'
    res.send(`who=${cookies?.who ?? /who=(\w+)/.exec(req.get('cookie') ?? '')?.[1] ?? 'nobody'} ${visits}`)
  })
  // As it comes it says that a file is stale at once.
  app.use('/files', serveStatic(folder, { maxAge: 60_000 }))
  app.use(
    '/proxied',
    createProxyMiddleware({ target: `http://127.0.0.1:${portOf(origin)}`, changeOrigin: true }) as never,
  )
  const server = await listen(app as never)
  return {
    port: portOf(server),
    close: async () => {
      await close(server)
      await cache.close()
    },
  }
}

const isHit = ({ headers }: Reply): boolean => /scale; hit/.test(String(headers['cache-status']))
const varies = ({ headers }: Reply): string[] =>
  String(headers.vary ?? '')
    .toLowerCase()
    .split(/\s*,\s*/)

it('middleware in front and behind: a hit after a miss, the right bytes, the right Vary, never somebody else’s', {
  timeout: 120_000,
}, async () => {
  const some = fc.shuffledSubarray(names, { maxLength: 5 })
  const order = fc.array(fc.constantFrom(...CLIENTS), { minLength: 4, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(4, 5), some, some, order, async (major, front, behind, clients) => {
      const made = await site(major as 4 | 5, front, behind)
      try {
        const cookies = new Set<string>()
        for (const [path, body] of [...Object.entries(PATHS), ['/mine', undefined] as const]) {
          for (const client of clients) {
            const reply = await ask(made.port, path, client)
            expect(reply.status).toBe(200)
            if (body !== undefined) expect(reply.body).toBe(body)
            else {
              const who = client.cookie?.slice('who='.length) ?? 'nobody'
              expect(reply.body).toMatch(new RegExp(`^who=${who} `))
            }
            // A cookie that was given once is nobody else's.
            for (const cookie of [reply.headers['set-cookie'] ?? []].flat()) {
              expect(cookies.has(cookie)).toBe(false)
              cookies.add(cookie)
            }
            if (reply.headers['content-encoding'] !== undefined) {
              expect(client.encoding).toContain(reply.headers['content-encoding'])
              expect(varies(reply)).toContain('accept-encoding')
            }
            const allowed = reply.headers['access-control-allow-origin']
            if (allowed !== undefined && allowed !== '*') {
              expect(allowed).toBe(client.origin)
              expect(varies(reply)).toContain('origin')
            }
            if (client.cookie !== undefined) expect(isHit(reply)).toBe(false)
          }
          const last = clients.at(-1)!
          const again = await ask(made.port, path, last)
          const isShared = last.cookie === undefined && body !== undefined
          if (isShared && !behind.some((name) => keepsOut(name, path))) {
            expect([path, again.headers['cache-status']]).toEqual([path, expect.stringMatching(/scale; hit/)])
          }
        }
      } finally {
        await made.close()
      }
    }),
    { numRuns: 25 },
  )
})
