import { once } from 'node:events'
import http, { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import {
  type Arrival,
  type EndingTools,
  endHttp1,
  endHttp2,
  http1Endings,
  http2Endings,
} from '@scale/devkit/endings'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cutConnection, type RequestRecord, requestRecord } from '../../src/index.js'

const tools: EndingTools = {
  cut: cutConnection,
  fail: (req, res, error) => requestRecord(req, res).fail(error),
}

/** Keeps the records of requests as they end, by their path. */
class Ended {
  readonly all: RequestRecord[] = []
  readonly paths: string[] = []

  readonly watch = (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    requestRecord(req, res).onEnd((record) => {
      this.all.push(record)
      this.paths.push(req.url!)
    })
    next()
  }

  async until(count: number): Promise<RequestRecord[]> {
    await expect.poll(() => this.all.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count)
    return this.all
  }

  of(path: string): unknown[] {
    return this.all.filter((_, index) => this.paths[index] === path).map(({ ending }) => ending)
  }
}

const answered = { cause: 'answered', side: undefined }

describe.each<[Arrival, number]>([
  ['alone', 1],
  ['keep-alive', 3],
  ['pipelined', 3],
])('the ending over HTTP/1.1, %s, of', (arrival, count) => {
  it.each(http1Endings.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const ended = new Ended()
    onTestFinished(await endHttp1(one, arrival, ended.watch, tools))
    await ended.until(count)
    expect(ended.of('/ending')).toEqual([{ cause: one.cause, side: one.side }])
    expect(ended.of('/ok')).toEqual(new Array(count - 1).fill(answered))
  })
})

describe('requests that wait behind another are broken off by whoever breaks that off:', () => {
  const breaking = http1Endings.filter(({ side, request }) => side !== undefined && request === undefined)
  it.each(breaking.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const ended = new Ended()
    onTestFinished(await endHttp1(one, 'first of a pipeline', ended.watch, tools))
    await ended.until(3)
    expect(ended.of('/ending')).toEqual([{ cause: one.cause, side: one.side }])
    expect(ended.of('/wait')).toMatchObject([{ side: one.side }, { side: one.side }])
  })
})

describe('the ending over HTTP/2 of', () => {
  it.each(http2Endings.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const ended = new Ended()
    onTestFinished(await endHttp2(one, ended.watch, tools))
    await ended.until(1)
    expect(ended.of('/ending')).toEqual([{ cause: one.cause, side: one.side }])
  })
})

async function listening(server: http.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

function dial(port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1', () => socket.write(text))
  onTestFinished(() => void socket.destroy())
  return socket.on('error', () => {})
}

it('is an upgrade when an upgraded connection closes, and a drain when the server ends it', async () => {
  const ended = new Ended()
  const server = createServer().on('upgrade', (req, socket) => {
    ended.watch(req, new http.ServerResponse(req), () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    socket
      .on('error', () => {})
      .on('end', () => socket.end())
      .resume()
    if (req.url !== '/drain') return
    cutConnection(socket, 'drain')
    socket.destroy()
  })
  const port = await listening(server)
  const head = 'HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
  const first = dial(port, `GET / ${head}`)
  await once(first, 'data')
  first.end()
  await ended.until(1)
  dial(port, `GET /drain ${head}`)
  await ended.until(2)
  expect([ended.of('/'), ended.of('/drain')]).toEqual([
    [{ cause: 'upgraded', side: undefined }],
    [{ cause: 'drain', side: 'server' }],
  ])
})

it('leaves nothing on a connection that serves many requests', async () => {
  const ended = new Ended()
  const listeners: number[] = []
  const server = createServer((req, res) => {
    ended.watch(req, res, () => res.end('x'))
    listeners.push(req.socket.eventNames().reduce((count, name) => count + req.socket.listenerCount(name), 0))
  })
  const port = await listening(server)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  for (let count = 0; count < 100; count++) {
    const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [
      IncomingMessage,
    ]
    await once(response.resume(), 'end')
  }
  await ended.until(100)
  expect(new Set(listeners.slice(1)).size).toBe(1)
  expect(listeners.at(-1)).toBeLessThanOrEqual(listeners[0]!)
  expect(new Set(ended.all.map(({ ending }) => ending?.cause))).toEqual(new Set(['answered']))
})

it('does not blame a timeout that somebody survived', async () => {
  const ended = new Ended()
  const server = createServer((req, res) => {
    ended.watch(req, res, () => {})
    if (req.url === '/cut') setTimeout(() => req.socket.destroy(), 5)
    else res.setTimeout(20, () => setImmediate(() => setImmediate(() => res.end('x'))))
  })
  const port = await listening(server)
  const socket = dial(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'data')
  socket.write('GET /cut HTTP/1.1\r\nHost: a\r\n\r\n')
  await ended.until(2)
  expect([ended.of('/'), ended.of('/cut')]).toEqual([[answered], [{ cause: 'cut', side: 'server' }]])
})

it('is one for all who ask, ends once, and answers at once afterwards', async () => {
  const ended = new Ended()
  const asked: boolean[] = []
  const copy = (await import(
    '../../src/request/record.js?copy' as string
  )) as typeof import('../../src/index.js')
  const port = await listening(
    createServer((req, res) => {
      ended.watch(req, res, () => {})
      const record = requestRecord(req, res)
      asked.push(requestRecord(req, res) === record, copy.requestRecord(req, res) === record)
      res.end()
    }),
  )
  await (await fetch(`http://127.0.0.1:${port}/`)).text()
  const [record] = await ended.until(1)
  let calls = 0
  record!.onEnd(() => calls++)
  expect([...asked, calls]).toEqual([true, true, 1])
})

it('keeps the end of a connection to itself that has carried nothing', () => {
  const socket = {}
  cutConnection(socket, 'drain')
  expect(socket).toEqual({})
})

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('under %s', (_, framework) => {
  const failure = new Error('no')

  async function serve(setup: (app: express.Express) => void): Promise<{ port: number; ended: Ended }> {
    const ended = new Ended()
    const app = framework()
    // Its own handler prints errors.
    vi.spyOn(console, 'error').mockImplementation(() => {})
    app.use(ended.watch as express.RequestHandler)
    setup(app)
    return { port: await listening(createServer(app)), ended }
  }
  const ask = async (port: number, path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return [response.status, await response.text()]
  }
  const own: express.ErrorRequestHandler = (_error, _req, res, _next) => void res.status(503).send('own')
  const failing = (router: express.Router): express.Router =>
    router.get('/:id', (_q, _s, next) => next(failure))

  it.each<
    [what: string, setup: (app: express.Express) => void, path: string, status: number, route?: string]
  >([
    ['that nobody handles', (app) => failing(app), '/7', 500],
    [
      'that is thrown',
      (app) =>
        app.get('/:id', () => {
          throw failure
        }),
      '/7',
      500,
    ],
    ['that the app answers', (app) => failing(app).use(own), '/7', 503],
    [
      'that a router answers',
      (app) => app.use('/v1', failing(framework.Router()).use(own as never)),
      '/v1/7',
      503,
    ],
    [
      'that a route answers',
      (app) => app.get('/:id', (_q, _s, next) => next(failure), own as never),
      '/7',
      503,
    ],
    ['that leaves a router', (app) => app.use('/v1', failing(framework.Router())), '/v1/7', 500],
    [
      'that the app answers behind one that passes on',
      (app) =>
        failing(app)
          .use(((error, _q, _s, next) => next(error)) as express.ErrorRequestHandler)
          .use(own),
      '/7',
      503,
    ],
    [
      'that leaves a mounted app',
      (app) => app.use('/v1', failing(framework()) as express.Express),
      '/v1/7',
      500,
      '*/:id',
    ],
  ])('has the error %s', async (_name, setup, path, status, route = path.replace('7', ':id')) => {
    const { port, ended } = await serve(setup)
    expect((await ask(port, path))[0]).toBe(status)
    const [record] = await ended.until(1)
    expect(record).toMatchObject({ error: failure, route, ending: answered })
  })

  it('has the error that a mounted app answers, once one of its answers was seen', async () => {
    const mounted = framework().get('/well', (_req, res) => void res.send('x'))
    failing(mounted).use(own)
    const { port, ended } = await serve((app) => app.use('/v1', mounted))
    await ask(port, '/v1/well')
    await ask(port, '/v1/7')
    const [well, ill] = await ended.until(2)
    expect([well!.error, ill!.error]).toEqual([undefined, failure])
  })

  it('has the error of a handler that is added later', async () => {
    let late: express.Express | undefined
    const { port, ended } = await serve((app) => {
      app.get('/early', (_req, res) => void res.send('x'))
      late = app
    })
    await ask(port, '/early')
    failing(late!)
    await ask(port, '/7')
    late!.use(own)
    expect(await ask(port, '/7')).toEqual([503, 'own'])
    expect((await ended.until(3)).map(({ error }) => error)).toEqual([undefined, failure, failure])
  })

  it('changes no answer of Express, and adds no layer for each request', async () => {
    const answers = async (watch: boolean): Promise<unknown> => {
      const app = framework().set('env', 'production')
      if (watch) app.use(new Ended().watch as express.RequestHandler)
      failing(app)
      const port = await listening(createServer(app))
      const all = []
      for (const path of ['/7', '/none/here', '/7', '/7']) all.push(await ask(port, path))
      const { length } = (app as unknown as Record<string, { stack: [] }>)[
        framework === express ? 'router' : '_router'
      ]!.stack
      return { all, length: length - (watch ? 2 : 0) }
    }
    vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await answers(true)).toEqual(await answers(false))
  })

  it('prefers what was told to what lies in res.err, and that to what a handler was given', async () => {
    const [told, laid] = [new Error('told'), new Error('laid')]
    const { port, ended } = await serve((app) => {
      failing(app).use(((_error, req, res, _next) => {
        Object.assign(res, { err: laid })
        if (req.url === '/told') requestRecord(req, res).fail(told)
        res.status(500).end()
      }) as express.ErrorRequestHandler)
    })
    for (const path of ['/laid', '/told']) await ask(port, path)
    expect((await ended.until(2)).map(({ error }) => error)).toEqual([laid, told])
  })
})
