import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
// @ts-expect-error its types are not installed
import compression from 'compression'
import express, { type Express, type RequestHandler } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { failureChannel, memoryStore, type SessionOptions, type SessionStore, session } from '../src/index.js'
import { type Answer, cookieOf, expressVersions, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

// What an answer says has happened, has happened; and what has not happened is what the answer says.

type Options = SessionOptions<Record<string, unknown>>

const redis = useRedis()
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(
  options: Options,
  routes: (app: Express) => void,
  { make = () => express(), before = [], after = [] }: Partial<Start> = {},
): Promise<RunningApp> {
  const app = make()
  for (const middleware of before) app.use(middleware)
  const sessions = session<Record<string, unknown>>(
    options.store === undefined ? { redis: redis.client, ...options } : options,
  )
  app.locals.sessions = sessions
  app.use(express.json(), sessions)
  for (const middleware of after) app.use(middleware)
  app.post('/login', async (req, res) => {
    await req.session.login('ann')
    res.json({})
  })
  app.get('/data', (req, res) => {
    res.json(req.session.data)
  })
  routes(app)
  const running = await listen(app)
  closing.push(running.close)
  return running
}

interface Start {
  make: () => Express
  before: RequestHandler[]
  after: RequestHandler[]
}

/** A store in this process whose writes take as long as they are told to, or fail. */
function slowStore(): {
  store: SessionStore
  /** @returns when the next has begun */
  hold(ms: number): Promise<void>
  fail(error: Error | undefined): void
} {
  const inner = memoryStore()
  let delayMs = 0
  let began: () => void = () => {}
  let failure: Error | undefined
  const slow =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      began()
      await sleep(delayMs)
      if (failure !== undefined) throw failure
      return work(...args)
    }
  const { load, create, write, end, list, endAll, mark } = inner
  return {
    store: { load, create: slow(create), write: slow(write), end, list, endAll, mark: mark! },
    hold: (ms) => {
      delayMs = ms
      return new Promise((resolve) => {
        began = resolve
      })
    },
    fail: (error) => {
      failure = error
    },
  }
}

const loggedIn = async (app: RunningApp): Promise<{ cookie: string }> => ({
  cookie: cookieOf(await app.send('POST', '/login')),
})

describe.each(expressVersions)(
  '%s: a change that cannot be stored is what the answer says',
  (_name, make) => {
    const failing: [string, Options, (data: Record<string, unknown>) => unknown, number, string][] = [
      ['a conflict', { conflict: 'fail' }, (data) => Object.assign(data, { x: 'mine' }), 409, 'CONFLICT'],
      [
        'the schema',
        { schema: z.object({ x: z.number().optional() }) as never },
        (data) => Object.assign(data, { x: 'mine' }),
        500,
        'DATA',
      ],
      [
        'the size',
        { maxDataBytes: 1_024 },
        (data) => Object.assign(data, { x: 'x'.repeat(2_000) }),
        500,
        'DATA',
      ],
      ['no JSON', {}, (data) => Object.assign(data, { x: 1n }), 500, 'DATA'],
      ['an end meanwhile', {}, (data) => Object.assign(data, { x: 'ended' }), 401, 'ENDED'],
    ]
    it.each(failing)('%s', async (_why, options, spoil, status, code) => {
      const app = await start(
        options,
        (app) => {
          app.post('/spoil', async (req, res) => {
            const { data } = req.session
            spoil(data)
            const other = await app.locals.sessions.load(req.headers)
            if (data.x === 'ended') await other.destroy()
            else {
              other.data.x = 1
              await other.save()
            }
            res.set('ETag', '"1"').set('X-Kept', '1').cookie('app', '1')
            res.status(201).json({ stored: true })
          })
        },
        { make, before: [] },
      )
      const headers = await loggedIn(app)
      const answer = await app.send('POST', '/spoil', headers)
      expect(answer).toMatchObject({ status, body: { code: `ERR_SCALE_SESSION_${code}` } })
      expect([answer.headers.get('etag'), answer.headers.get('x-kept')]).not.toContain('"1"')
      expect(answer.headers.get('x-kept')).toBe('1')
      expect(answer.cookies.filter((text) => text.includes('session='))).toEqual([])
    })
  },
)

describe('a client that leaves', () => {
  const slowly = (app: Express): void => {
    app.post('/slow', async (req, res) => {
      app.locals.reached?.()
      await app.locals.gone
      req.session.data.late = 1
      res.json({})
      app.locals.done?.()
    })
  }
  it.each([0, 5, 20])('after %i ms of the save has what its handler wrote stored', async (ms) => {
    const { store, hold } = slowStore()
    const app = await start({ store }, slowly)
    const headers = await loggedIn(app)
    const begun = hold(10)
    const sent = post(app, '/slow', headers)
    await begun
    await sleep(ms)
    sent.destroy()
    await expect.poll(async () => (await app.send('GET', '/data', headers)).body).toEqual({ late: 1 })
  })
  it('during its handler has what that writes afterwards stored', async () => {
    let leave: () => void = () => {}
    const app = await start({}, (app) => {
      app.locals.gone = new Promise<void>((resolve) => {
        leave = resolve
      })
      slowly(app)
      app.locals.reach = new Promise<void>((resolve) => {
        app.locals.reached = resolve
      })
      app.get('/reached', async (_req, res) => {
        await app.locals.reach
        res.json({})
      })
    })
    const headers = await loggedIn(app)
    const sent = post(app, '/slow', headers)
    await app.send('GET', '/reached')
    sent.destroy()
    await sleep(20)
    expect((await app.send('GET', '/data', headers)).body).toEqual({})
    leave()
    await expect.poll(async () => (await app.send('GET', '/data', headers)).body).toEqual({ late: 1 })
  })
  it('before a login is answered leaves no session behind', async () => {
    const { store, hold } = slowStore()
    const app = await start({ store, maxPerUser: { quota: 1, evict: 'reject' } }, () => {})
    const begun = hold(50)
    const sent = post(app, '/login', {})
    await begun
    sent.destroy()
    await sleep(100)
    hold(0)
    await expect.poll(async () => (await app.send('POST', '/login')).status).toBe(200)
    expect((await app.send('POST', '/login')).status).toBe(409)
  })
})

function post(app: RunningApp, path: string, headers: Record<string, string>): ClientRequest {
  const sent = request(app.url + path, { method: 'POST', headers, agent: false })
  sent.on('error', () => {})
  sent.end()
  return sent
}

describe('while an answer waits for the session', () => {
  it('it looks as if it had gone out', async () => {
    const { store, hold } = slowStore()
    const seen: Record<string, unknown> = {}
    const app = await start({ store }, (app) => {
      app.post('/', (req, res) => {
        req.session.data.x = 1
        res.status(201).end('done')
        Object.assign(seen, { headersSent: res.headersSent, writableEnded: res.writableEnded })
        for (const change of [
          () => res.setHeader('X', '1'),
          () => res.appendHeader('X', '1'),
          () => res.removeHeader('X'),
          () => res.writeHead(500),
        ]) {
          expect(change).toThrow(/after they are sent/)
        }
        res.statusCode = 500
      })
    })
    const headers = await loggedIn(app)
    hold(20)
    expect(await app.send('POST', '/', headers)).toMatchObject({ status: 201, body: 'done' })
    expect(seen).toEqual({ headersSent: true, writableEnded: true })
    expect((await app.send('GET', '/data', headers)).body).toEqual({ x: 1 })
  })

  const large = 'x'.repeat(300_000)
  const bodies: [string, RequestHandler, string][] = [
    [
      'write and end',
      (_req, res) => {
        res.write('a')
        res.write('b')
        res.end('c')
      },
      'abc',
    ],
    ['writeHead, chained', (_req, res) => void res.writeHead(200, { 'X-A': '1' }).end('abc'), 'abc'],
    [
      'flushHeaders',
      (_req, res) => {
        res.flushHeaders()
        setTimeout(() => res.end('abc'), 5)
      },
      'abc',
    ],
    ['end with a callback', (_req, res) => void res.end('abc', () => {}), 'abc'],
    [
      'little by little, waiting for drain',
      async (_req, res) => {
        for (const part of ['a', 'b', 'c']) if (!res.write(part)) await once(res, 'drain')
        res.end()
      },
      'abc',
    ],
    [
      'a stream that waits for drain',
      async (_req, res) => {
        if (!res.write(large)) await once(res, 'drain')
        res.end(large)
      },
      large + large,
    ],
    ['a file', (_req, res) => res.sendFile(import.meta.filename), 'FILE'],
  ]
  describe.each([
    ['alone', {}],
    ['with compression before it', { before: [compression({ threshold: 0 })] }],
    ['with compression after it', { after: [compression({ threshold: 0 })] }],
  ])('%s', (_where, places) => {
    it.each(bodies)('%s', async (_how, answer, body) => {
      const { store, hold, fail } = slowStore()
      const app = await start(
        { store },
        (app) => {
          app.post('/', (req, res, next) => {
            req.session.data.n = Number(req.session.data.n ?? 0) + 1
            return answer(req, res, next)
          })
        },
        places,
      )
      hold(10)
      const first = await app.send('POST', '/')
      expect(first.status).toBe(200)
      if (body === 'FILE') expect(first.body).toContain('import.meta.filename')
      else expect(first.body).toBe(body)
      const headers = { cookie: cookieOf(first) }
      await app.send('POST', '/', headers)
      expect((await app.send('GET', '/data', headers)).body).toEqual({ n: 2 })
      fail(new Error('no room'))
      expect(await app.send('POST', '/', headers)).toMatchObject({
        status: 500,
        body: { message: 'no room' },
      })
    })
  })

  it('a handler may go on: what it sets before the end of the body is stored, or the body is cut off', async () => {
    const { store, fail } = slowStore()
    const app = await start({ store }, (app) => {
      app.post('/stream', async (req, res) => {
        res.write('begin ')
        await sleep(5)
        req.session.data.n = Number(req.session.data.n ?? 0) + 1
        if (req.query.fail) fail(new Error('no room'))
        res.end('end')
      })
    })
    const headers = await loggedIn(app)
    expect((await app.send('POST', '/stream', headers)).body).toBe('begin end')
    expect((await app.send('GET', '/data', headers)).body).toEqual({ n: 1 })
    const failures: unknown[] = []
    const stop = failureChannel.subscribe((message) => failures.push(message))
    await expect(app.send('POST', '/stream?fail=1', headers)).rejects.toThrow()
    stop()
    expect(failures).toMatchObject([{ operation: 'save', error: { message: 'no room' } }])
  })

  it.each([
    ['its session ends', 'revoked'],
    ['the store gives no answer', 'failed'],
  ])('it is not asked again for a new token that could not be had because %s', async (_when, how) => {
    const store = slowStore()
    let writes = 0
    const write: SessionStore['write'] = async (...args) => {
      writes++
      // Whoever asks without end must not keep this process from telling.
      await sleep(1)
      return store.store.write(...args)
    }
    const app = await start({ store: { ...store.store, write }, renewAfterMs: 1 }, (app) => {
      app.get('/parts', async (_req, res) => {
        if (how === 'revoked') await app.locals.sessions.of('ann').revokeAll()
        else store.fail(new Error('no answer'))
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end('{}')
      })
    })
    const headers = await loggedIn(app)
    await sleep(5)
    expect(await app.send('GET', '/parts', headers)).toMatchObject({ status: 200, body: {}, cookies: [] })
    expect(writes).toBe(1)
  })
  it('it waits for what the handler did not: a login, a save', async () => {
    const { store, hold } = slowStore()
    const app = await start({ store }, (app) => {
      app.post('/late-login', (req, res) => {
        void req.session.login('ann')
        res.json({})
      })
      app.post('/late-save', (req, res) => {
        req.session.data.x = 1
        void req.session.save()
        res.json({})
      })
    })
    hold(20)
    const headers = { cookie: cookieOf(await app.send('POST', '/late-login')) }
    expect(headers.cookie).not.toBe('')
    await app.send('POST', '/late-save', headers)
    expect((await app.send('GET', '/data', headers)).body).toEqual({ x: 1 })
  })
})

describe('an answer that says that a change was not stored', () => {
  it('comes from the error handler also where routers are nested, and brings what had happened before', async () => {
    const app = await start({ conflict: 'fail' }, (app) => {
      const inner = express.Router({ mergeParams: true })
      inner.post('/:verb', async (req, res) => {
        const { session } = req
        if (req.params.verb === 'login') await session.login('bob')
        if (req.params.verb === 'regenerate') {
          await session.regenerate()
          expect(req.sessionID).toBeUndefined()
        }
        req.session.data.x = 1n
        res.status(201).json({})
      })
      app.use('/a', express.Router().use('/b/:name', inner))
    })
    const headers = await loggedIn(app)
    const login = await app.send('POST', '/a/b/c/login', headers)
    expect(login).toMatchObject({ status: 500, body: { code: 'ERR_SCALE_SESSION_DATA' } })
    // The old session is no more: without its successor this would be a logout.
    expect((await app.send('GET', '/data', { cookie: cookieOf(login) })).status).toBe(200)
    const regenerated = await app.send('POST', '/a/b/c/regenerate', { cookie: cookieOf(login) })
    expect(regenerated).toMatchObject({ status: 500, cookies: [expect.stringContaining('Max-Age=0')] })
  })
  it('is an error of the call where it is too late for a cookie', async () => {
    const app = await start({ store: memoryStore() }, (app) => {
      app.post('/', async (req, res) => {
        res.write('begun ')
        const calls = [req.session.login('ann'), req.session.save()]
        const outcomes = await Promise.allSettled(calls)
        res.end(String(outcomes[0]!.status))
      })
    })
    expect(await app.send('POST', '/')).toMatchObject({ status: 200, body: 'begun rejected', cookies: [] })
  })
})

describe('headers that a handler passes to writeHead', () => {
  const forms: [string, unknown][] = [
    ['an object', { 'Set-Cookie': ['late=1', 'later=1'], 'Cache-Control': 'public', 'X-Two': ['a', 'b'] }],
    [
      'pairs in turn',
      [
        'Set-Cookie',
        'late=1',
        'Set-Cookie',
        'later=1',
        'Cache-Control',
        'public',
        'X-Two',
        'a',
        'X-Two',
        'b',
      ],
    ],
    [
      'pairs',
      [
        ['Set-Cookie', 'late=1'],
        ['Set-Cookie', 'later=1'],
        ['cache-control', 'public'],
        ['X-Two', ['a', 'b']],
      ],
    ],
  ]
  it.each(forms)('%s: stay beside ours, and do not make the answer public', async (_form, passed) => {
    const app = await start({ store: memoryStore() }, (app) => {
      app.post('/', (req, res) => {
        res.cookie('early', '1')
        res.set('X-Two', 'replaced')
        req.session.data.x = 1
        res.writeHead(201, 'Made', passed as never).end()
      })
    })
    const answer: Answer = await app.send('POST', '/')
    expect(answer.status).toBe(201)
    const names = answer.cookies.map((text) => text.split('=')[0]).sort()
    expect(names).toEqual(['__Host-session', 'early', 'late', 'later'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-two')).toBe('a, b')
  })
  it('that Node refuses are an error of the request, not of the process', async () => {
    const app = await start({ store: memoryStore() }, (app) => {
      app.post('/', (req, res) => {
        req.session.data.x = 1
        res.writeHead(200, { 'X-Bad': 'a\nb' }).end()
      })
    })
    expect((await app.send('POST', '/')).status).toBe(500)
  })
})

describe("save: 'background'", () => {
  it('answers first, and reports what fails then', async () => {
    const { store, hold, fail } = slowStore()
    const app = await start({ store, save: 'background' }, (app) => {
      app.post('/', (req, res) => {
        req.session.data.x = 1
        res.json({})
      })
    })
    const headers = await loggedIn(app)
    hold(200)
    const startedAt = performance.now()
    await app.send('POST', '/', headers)
    expect(performance.now() - startedAt).toBeLessThan(150)
    await expect.poll(async () => (await app.send('GET', '/data', headers)).body).toEqual({ x: 1 })
    fail(new Error('no room'))
    const failures: unknown[] = []
    const stop = failureChannel.subscribe((message) => failures.push(message))
    const visit = await app.send('POST', '/')
    expect([visit.status, cookieOf(visit) !== '']).toEqual([200, true])
    await expect.poll(() => failures).toMatchObject([{ operation: 'save' }])
    stop()
  })
})
