import { AsyncLocalStorage } from 'node:async_hooks'
import express5, { type Express, type Request, type Response } from 'express'
import express4 from 'express4'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Admission,
  type AdmissionMessage,
  type AdmissionOptions,
  admission,
  admissionChannel,
  type LimitMessage,
  limitChannel,
  Overloaded,
} from '../src/index.js'
import { type Reply, type Running, started, until } from './server.js'

/** Patient enough that nothing is refused for the sake of time, where a test is not about time. */
const PATIENT = { maxWaitMs: 60_000, overloadedWaitMs: 60_000 }

interface Held {
  server: Running
  guard: Admission
  /** The requests that run, in the order in which they began. */
  running: { path: string; answer: (body?: string) => void; req: Request; res: Response }[]
}

/** An app whose handlers wait to be told. */
async function held(options: AdmissionOptions, express: typeof express5 = express5): Promise<Held> {
  const guard = admission(options)
  const running: Held['running'] = []
  const app: Express = express()
  app.use(guard)
  app.get('/*any'.replace('*any', express === express5 ? '*any' : '*'), (req, res) => {
    running.push({ path: req.originalUrl, answer: (body = 'ok') => res.send(body), req, res })
  })
  return { server: await started(app), guard, running }
}

function heard(): AdmissionMessage[] {
  const messages: AdmissionMessage[] = []
  onTestFinished(admissionChannel.subscribe((message) => messages.push(message)))
  return messages
}

/** Asks one after another, so that they arrive in this order. */
async function queued({ server, guard }: Held, paths: string[]): Promise<Promise<Reply>[]> {
  const replies: Promise<Reply>[] = []
  for (const path of paths) {
    const before = guard.waiting
    replies.push(server.ask(path))
    await until(() => guard.waiting > before)
  }
  return replies
}

/** Ends what runs until nothing does. @returns the paths, in the order in which they ran */
async function drained(app: Held): Promise<string[]> {
  const order: string[] = []
  while (app.guard.inFlight > 0 || app.guard.waiting > 0) {
    await until(() => app.running.length > 0 || app.guard.inFlight === 0)
    const next = app.running.shift()
    if (next === undefined) break
    order.push(next.path)
    next.answer()
    await until(() => next.res.closed)
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  }
  return order
}

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('on %s', (_name, express) => {
  it('lets as many run as may, and the others when there is room', async () => {
    const app = await held({ limit: 2, ...PATIENT }, express)
    const first = [app.server.ask('/1'), app.server.ask('/2')]
    await until(() => app.running.length === 2)
    const rest = await queued(app, ['/3', '/4', '/5'])
    expect([app.guard.limit, app.guard.inFlight, app.guard.waiting]).toEqual([2, 2, 3])
    expect(app.guard.saturation()).toBeCloseTo(1.003)
    expect((await drained(app)).slice(2)).toEqual(['/3', '/4', '/5'])
    for (const reply of await Promise.all([...first, ...rest])) expect(reply.status).toBe(200)
    await until(() => app.guard.inFlight === 0)
    expect(app.guard.waiting).toBe(0)
  })

  it('refuses what waits too long with a problem document, though nothing else ever ends', async () => {
    const app = await held({ limit: 1 }, express)
    void app.server.ask('/1')
    await until(() => app.running.length === 1)
    const refused = await app.server.ask('/2')
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(3)
    expect(refused.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
    })
    expect(JSON.parse(refused.body)).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      title: 'Temporarily reduced capacity',
      status: 503,
      detail: 'The server is busy.',
      code: 'ERR_SCALE_OVERLOADED',
    })
    expect(app.running).toHaveLength(1)
  })
})

describe('the order', () => {
  it('is by priority, and what is most important is let in last of all refused', async () => {
    const priority = (req: Request) => Number(req.query.p) as 0
    const app = await held({ limit: 1, maxWaiting: 3, priority, ...PATIENT })
    void app.server.ask('/first')
    await until(() => app.running.length === 1)
    const [low, middle] = await queued(app, ['/low?p=3', '/middle?p=2', '/high?p=0'])
    void middle
    const important = app.server.ask('/more?p=0')
    expect((await low!).status).toBe(503)
    expect(await app.server.ask('/late?p=3')).toMatchObject({ status: 503 })
    expect(await drained(app)).toEqual(['/first', '/high?p=0', '/more?p=0', '/middle?p=2'])
    expect((await important).status).toBe(200)
  })

  it.each([
    ['nothing', () => undefined],
    ['a word', () => 'high'],
    [
      'an error',
      () => {
        throw new Error('no')
      },
    ],
  ])('takes %s as priority for 1', async (_what, priority) => {
    const messages = heard()
    const app = await held({ limit: 1, priority: priority as never, partition: priority as never })
    const reply = app.server.ask('/1')
    await until(() => app.running.length === 1)
    await drained(app)
    expect((await reply).status).toBe(200)
    expect(messages).toMatchObject([{ priority: 1, refusal: undefined, waitedMs: 0 }])
  })

  it('gives each partition its share, however many one of them sends', async () => {
    const partition = (req: Request): string => req.path.split('/')[1]!
    const app = await held({ limit: 1, partition, ...PATIENT })
    void app.server.ask('/a/0')
    await until(() => app.running.length === 1)
    await queued(app, ['/a/1', '/a/2', '/a/3', '/a/4', '/b/1', '/b/2', '/c/1'])
    const order = (await drained(app)).slice(1).map((path) => path[1])
    expect(order.slice(0, 3).sort()).toEqual(['a', 'b', 'c'])
    expect(order.slice(3, 5).sort()).toEqual(['a', 'b'])
  })

  it('serves the newest first once the queue has not been empty for long', async () => {
    const app = await held({ limit: 1, maxWaitMs: 20, overloadedWaitMs: 60_000 })
    void app.server.ask('/0')
    await until(() => app.running.length === 1)
    await queued(app, ['/1', '/2', '/3'])
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(await drained(app)).toEqual(['/0', '/3', '/2', '/1'])
  })
})

describe('a request that is not worth it', () => {
  it('is refused when its own time is over, by option or by header, and not before', async () => {
    const app = await held({
      limit: 1,
      deadlineMs: (req) => (req.path === '/own' ? 30 : undefined),
      ...PATIENT,
    })
    const messages = heard()
    void app.server.ask('/0')
    await until(() => app.running.length === 1)
    const replies = [
      app.server.ask('/own'),
      app.server.ask('/header', { 'request-timeout': '0.03' }),
      app.server.ask('/grpc', { 'grpc-timeout': '30m' }),
    ]
    for (const reply of await Promise.all(replies)) expect(reply.status).toBe(503)
    expect((await app.server.ask('/none', { 'request-timeout': '0' })).status).toBe(503)
    expect(messages.slice(1)).toMatchObject(Array.from({ length: 4 }, () => ({ refusal: 'deadline' })))
    const last = await queued(app, ['/waits'])
    await drained(app)
    expect((await last[0]!).status).toBe(200)
  })

  it('is passed over when its client has left, and frees its place', async () => {
    const app = await held({ limit: 1, maxWaiting: 2, ...PATIENT })
    void app.server.ask('/0')
    await until(() => app.running.length === 1)
    const sockets = [await app.server.open('/1'), await app.server.open('/2')]
    await until(() => app.guard.waiting === 2)
    for (const socket of sockets) socket.destroy()
    await until(() => app.guard.waiting === 0)
    const reply = await queued(app, ['/3'])
    expect(await drained(app)).toEqual(['/0', '/3'])
    expect((await reply[0]!).status).toBe(200)
  })

  it('frees its place when its client leaves while it runs', async () => {
    const app = await held({ limit: 1, ...PATIENT })
    const socket = await app.server.open('/0')
    await until(() => app.running.length === 1)
    const reply = await queued(app, ['/1'])
    socket.destroy()
    await until(() => app.running.length === 2)
    app.running[1]!.answer()
    expect((await reply[0]!).status).toBe(200)
  })

  it('is refused at once when nobody may wait', async () => {
    const app = await held({ limit: 1, maxWaiting: 0 })
    const messages = heard()
    void app.server.ask('/0')
    await until(() => app.running.length === 1)
    expect((await app.server.ask('/1')).status).toBe(503)
    expect(messages).toMatchObject([{ refusal: undefined }, { refusal: 'full', waitedMs: 0 }])
  })
})

describe('a place', () => {
  it('is not held by an answer that is only being sent, such as a stream of events', async () => {
    const app = await held({ limit: 1, ...PATIENT })
    await app.server.open('/events')
    await until(() => app.running.length === 1)
    app.running[0]!.res.writeHead(200, { 'content-type': 'text/event-stream' })
    app.running[0]!.res.write('data: 1\n\n')
    const reply = await queued(app, ['/next'])
    await until(() => app.running.length === 2)
    app.running[1]!.answer()
    expect((await reply[0]!).status).toBe(200)
    expect(app.running[0]!.res.writableEnded).toBe(false)
  })

  it('is held for one turn of the loop by a handler that never waits, so that the queue is here and not in the kernel', async () => {
    const guard = admission({ limit: 2, ...PATIENT })
    const app = express5()
    let [turn, inTurn, most, queue] = [0, 0, 0, 0]
    let counting = -1
    const tick = (): void => {
      turn++
      if (ticking) setImmediate(tick)
    }
    let ticking = true
    tick()
    onTestFinished(() => {
      ticking = false
    })
    app.use(guard)
    app.get('/', (_req, res) => {
      inTurn = counting === turn ? inTurn + 1 : 1
      counting = turn
      most = Math.max(most, inTurn)
      queue = Math.max(queue, guard.waiting)
      const endsAt = performance.now() + 5
      while (performance.now() < endsAt);
      res.send('ok')
    })
    const server = await started(app)
    const replies = await Promise.all(Array.from({ length: 40 }, () => server.ask('/')))
    expect(replies.every(({ status }) => status === 200)).toBe(true)
    // Two in the turn in which they came, and two more when it ended.
    expect(most).toBeLessThanOrEqual(4)
    expect(queue).toBeGreaterThan(10)
  })

  it('is taken once by a request that passes twice', async () => {
    const guard = admission({ limit: 1, maxWaiting: 0 })
    const app = express5()
    app.use(guard)
    app.get('/', guard, (_req, res) => void res.send('ok'))
    const server = await started(app)
    expect((await server.ask('/')).status).toBe(200)
    await until(() => guard.inFlight === 0)
  })

  it('is needed by no probe, and by nothing else that is exempt', async () => {
    const app = await held({ limit: 1, maxWaiting: 0 })
    void app.server.ask('/0')
    await until(() => app.running.length === 1)
    void app.server.ask('/livez')
    await until(() => app.running.length === 2)
    expect(app.guard.inFlight).toBe(1)
    expect((await app.server.ask('/livez', {}, 'POST')).status).toBe(503)
    const own = await held({ limit: 1, maxWaiting: 0, exempt: (req) => req.path === '/free' })
    void own.server.ask('/livez')
    await until(() => own.guard.inFlight === 1)
    void own.server.ask('/free')
    await until(() => own.running.length === 2)
    expect(own.guard.inFlight).toBe(1)
  })
})

describe('what a request was, it still is when its turn comes', () => {
  it('keeps its asynchronous context', async () => {
    const context = new AsyncLocalStorage<string>()
    const guard = admission({ limit: 1, ...PATIENT })
    const app = express5()
    app.use((req, _res, next) => context.run(req.path, next))
    app.use(guard)
    app.get('/*any', async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      res.json({ path: req.path, context: context.getStore() })
    })
    const server = await started(app)
    const replies = await Promise.all(Array.from({ length: 20 }, (_, index) => server.ask(`/${index}`)))
    for (const { body } of replies) {
      const { path, context: kept } = JSON.parse(body) as { path: string; context: string }
      expect(kept).toBe(path)
    }
  })

  it('can be told to the error handler in place of being answered', async () => {
    const guard = admission({ limit: 1, maxWaiting: 0, forward: true, retryAfterMs: 1_000 })
    const app = express5()
    let error: unknown
    app.use(guard)
    app.get('/', () => {})
    app.use((caught: unknown, _req: Request, res: Response, _next: () => void) => {
      error = caught
      res.status(503).end()
    })
    const server = await started(app)
    await server.open('/')
    await until(() => guard.inFlight === 1)
    expect((await server.ask('/')).status).toBe(503)
    expect(error).toBeInstanceOf(Overloaded)
    expect(error).toMatchObject({ refusal: 'full', status: 503, headers: { 'Retry-After': '1' } })
  })

  it('is not answered a second time when something in front has', async () => {
    const guard = admission({ limit: 1, ...PATIENT, maxWaitMs: 30, overloadedWaitMs: 30 })
    const app = express5()
    app.use((req, res, next) => {
      if (req.path === '/slow') setTimeout(() => res.status(504).write('late'), 5)
      next()
    })
    app.use(guard)
    app.get('/', () => {})
    const server = await started(app)
    await server.open('/')
    await until(() => guard.inFlight === 1)
    await server.open('/slow')
    await until(() => guard.waiting === 1)
    await until(() => guard.waiting === 0)
  })
})

describe('the limit that finds itself', () => {
  it('shrinks in a process that only computes and is asked for too much, and tells', async () => {
    const messages: LimitMessage[] = []
    onTestFinished(limitChannel.subscribe((message) => messages.push(message)))
    const guard = admission({ name: 'api' })
    const app = express5()
    app.use(guard)
    app.get('/', (_req, res) => {
      const endsAt = performance.now() + 4
      while (performance.now() < endsAt);
      res.send('ok')
    })
    const server = await started(app)
    const statuses = new Map<number, number>()
    let asking = true
    onTestFinished(() => {
      asking = false
    })
    const client = async (): Promise<void> => {
      while (asking) {
        const { status } = await server.ask('/').catch(() => ({ status: 0 }))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    const clients = Array.from({ length: 50 }, client)
    await until(() => guard.limit < 20 && (statuses.get(200) ?? 0) > 50)
    asking = false
    await Promise.all(clients)
    expect([...statuses.keys()].every((status) => status === 200 || status === 503)).toBe(true)
    expect(messages.length).toBeGreaterThan(0)
    expect(messages[0]).toMatchObject({ admission: 'api' })
  })
})

it.each([
  [
    { limit: 0 },
    '`limit` must be an integer from 1 to 1000000 or what `gradient()` or `aimd()` returns, not 0',
  ],
  [{ limit: {} }, 'what `gradient()` or `aimd()` returns'],
  [{ priority: 1 }, '`priority` must be a function'],
  [{ maxWaitMs: 0 }, '`maxWaitMs` must be a whole number of milliseconds'],
  [{ retryAfterMs: 5 }, '`retryAfterMs` must be'],
  [{ maxQueued: 5 }, 'unknown option `maxQueued`'],
])('refuses options %j', (options, message) => {
  expect(() => admission(options as AdmissionOptions)).toThrow(message)
})
