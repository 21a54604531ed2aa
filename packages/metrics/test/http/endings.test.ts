import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { pipeline, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { cutConnection, type RequestRecord, requestRecord } from '@scale/core'
import { type EndingTools, endHttp1, endHttp2, http1Endings, http2Endings } from '@scale/devkit/endings'
import { createLogger, requestLogger } from '@scale/logger'
import express from 'express'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { fleet, httpMetrics } from '../../src/index.js'
import { frameworks } from '../support/frameworks.js'

const tools: EndingTools = {
  cut: cutConnection,
  fail: (req, res, error) => requestRecord(req, res).fail(error),
}

type Step = (req: never, res: never, next: () => void) => void

/** Logger and metrics in one process, in this order or the other, and what each says. */
class Observed {
  readonly register = new Registry()
  private readonly text: string[] = []
  private readonly steps: Step[]
  record: RequestRecord | undefined

  constructor(order: 'logger first' | 'metrics first') {
    const destination = new Writable({
      write: (chunk, _encoding, done) => {
        this.text.push(String(chunk))
        done()
      },
    })
    const logger = createLogger({ destination, writeAfterMs: 0, format: 'json' })
    const steps = [requestLogger({ logger }), httpMetrics({ register: this.register })] as unknown as Step[]
    this.steps = order === 'logger first' ? steps : steps.reverse()
  }

  readonly watch = (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const [first, second] = this.steps
    first!(req as never, res as never, () => second!(req as never, res as never, next))
    this.record = requestRecord(req, res)
  }

  /** What the line says, and what the series says, once both have said it. */
  async said(): Promise<{ line: Record<string, unknown>; labels: Record<string, string> | undefined }> {
    await vi.waitFor(() => expect(this.text).not.toEqual([]), { timeout: 10_000 })
    const lines = this.text.join('').trim().split('\n')
    expect(lines).toHaveLength(1)
    const families = await fleet({ register: this.register }).snapshot()
    const active = families.find(({ name }) => name === 'http_server_active_requests')!
    expect(active.series.map(({ values }) => values)).toEqual([[0]])
    const duration = families.find(({ name }) => name === 'http_server_request_duration_seconds')!
    expect(duration.series.length).toBeLessThanOrEqual(1)
    return { line: JSON.parse(lines[0]!) as Record<string, unknown>, labels: duration.series[0]?.labels }
  }
}

/** The same ending as a line and as labels. */
function expectAgreement(
  { line, labels }: Awaited<ReturnType<Observed['said']>>,
  { cause, side, status }: { cause: string; side: string | undefined; status: number | undefined },
): void {
  const isFailure = side === 'server' || (side === undefined && status! >= 500)
  expect(line).toMatchObject({
    level: isFailure ? 'error' : 'info',
    msg:
      side === 'client'
        ? 'request aborted'
        : side === 'server'
          ? 'response cut off'
          : isFailure
            ? 'request failed'
            : status! >= 400
              ? 'request refused'
              : 'request completed',
  })
  expect(line['http.response.status_code']).toBe(side === 'client' ? 499 : status)
  expect(line.ending).toBe(side === undefined ? undefined : cause)
  expect(labels?.http_response_status_code).toBe(
    side === 'client' || status === undefined ? undefined : String(status),
  )
  expect(labels?.error_type).toBe(
    { client: 'client_disconnect', server: 'response_cut' }[side ?? ''] ??
      (isFailure ? String(status) : undefined),
  )
}

describe.each(['logger first', 'metrics first'] as const)('log and metrics agree, %s, on', (order) => {
  it.each(http1Endings.map((one) => [one.name, one] as const))('HTTP/1.1: %s', async (_, one) => {
    const observed = new Observed(order)
    onTestFinished(await endHttp1(one, 'alone', observed.watch, tools))
    expectAgreement(await observed.said(), one)
  })

  it.each(http2Endings.map((one) => [one.name, one] as const))('HTTP/2: %s', async (_, one) => {
    const observed = new Observed(order)
    onTestFinished(await endHttp2(one, observed.watch, tools))
    expectAgreement(await observed.said(), one)
  })
})

it('an upgraded connection has a line, and no duration', async () => {
  const observed = new Observed('logger first')
  const server = http.createServer().on('upgrade', (req, socket) => {
    observed.watch(req, new http.ServerResponse(req), () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    socket.on('end', () => socket.end()).resume()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await once(socket, 'data')
  socket.end()
  const { line, labels } = await observed.said()
  expect(line).toMatchObject({
    level: 'info',
    msg: 'connection upgraded',
    ending: 'upgraded',
    'http.response.status_code': 101,
  })
  expect(labels).toBeUndefined()
})

const here = fileURLToPath(new URL('.', import.meta.url))

describe.each(frameworks)('under %s, with nothing but the framework behind it,', (_, framework) => {
  async function ask(
    setup: (app: express.Express) => void,
    path: string,
    client: (request: http.ClientRequest) => void = (request) =>
      void request.on('response', (response) => response.on('error', () => {}).resume()),
  ): Promise<Awaited<ReturnType<Observed['said']>>> {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const observed = new Observed('logger first')
    const app = framework()
    app.use(observed.watch as express.RequestHandler)
    setup(app)
    const server = http.createServer(app)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const request = http.get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', path })
    onTestFinished(() => {
      request.destroy()
      server.close()
      server.closeAllConnections()
    })
    client(request.on('error', () => {}))
    return observed.said()
  }

  it.each<[what: string, setup: (app: express.Express) => void, path: string, status: number, err?: string]>([
    ['a static file', (app) => app.use(express.static(here)), '/endings.test.ts', 200],
    ['a static file that is missing', (app) => app.use(express.static(here)), '/none.ts', 404],
    [
      'an error that nobody handles',
      (app) =>
        app.get('/', () => {
          throw new Error('no')
        }),
      '/',
      500,
      'no',
    ],
    [
      'an error of the app that the app itself answers',
      (app) =>
        app
          .get('/', (_q, _s, next) => next(new Error('no')))
          .use(((_e, _q, res, _n) => {
            res.status(503).end()
          }) as express.ErrorRequestHandler),
      '/',
      503,
      'no',
    ],
  ])('%s', async (_name, setup, path, status, message) => {
    const said = await ask(setup, path)
    expectAgreement(said, { cause: 'answered', side: undefined, status })
    expect((said.line.err as Error | undefined)?.message).toBe(message)
  })

  it('a failure in the middle that reaches the handler of Express', async () => {
    const said = await ask(
      (app) =>
        app.get('/', (_req, res, next) => {
          res.write('half', () => next(new Error('no')))
        }),
      '/',
    )
    expectAgreement(said, { cause: 'error', side: 'server', status: 200 })
    expect(said.line).toMatchObject({ err: { message: 'no' }, 'error.type': 'Error' })
  })

  it('a file that is missing, in a pipeline that tells Express', async () => {
    const said = await ask(
      (app) => app.get('/', (_req, res, next) => void pipeline(createReadStream('/no/such'), res, next)),
      '/',
    )
    expectAgreement(said, { cause: 'error', side: 'server', status: undefined })
    expect(said.line).toMatchObject({ err: { code: 'ENOENT' }, 'error.type': 'ENOENT', 'http.route': '/' })
  })

  it('a client that leaves a file in the middle of a pipeline', async () => {
    const said = await ask(
      (app) => app.get('/', (_req, res, next) => void pipeline(createReadStream('/dev/zero'), res, next)),
      '/',
      (request) => void request.on('response', (response) => response.once('data', () => request.destroy())),
    )
    expectAgreement(said, { cause: 'left', side: 'client', status: 200 })
    expect(said.line).not.toHaveProperty('err')
  })

  it('a client that leaves a static file in the middle', async () => {
    const said = await ask(
      (app) => app.get('/', (_req, res, next) => res.sendFile(process.execPath, next as never)),
      '/',
      (request) => void request.on('response', (response) => response.once('data', () => request.destroy())),
    )
    expectAgreement(said, { cause: 'left', side: 'client', status: 200 })
  })
})
