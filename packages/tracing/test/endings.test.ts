import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import { channel, cutConnection, requestRecord } from '@scale/core'
import { type EndingTools, endHttp1, endHttp2, http1Endings, http2Endings } from '@scale/devkit/endings'
import { errorHandler, type FailureMessage } from '@scale/errors'
import { requestLogger } from '@scale/logger'
import { fleet, httpMetrics } from '@scale/metrics'
import type express from 'express'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { tracing } from '../src/index.js'
import { frameworks } from './support/frameworks.js'
import { recorded } from './support/lines.js'
import { telemetry } from './support/telemetry.js'

// Every way in which a request can end, and what log line, metric, channel and span say of it.

const { server } = telemetry()
const tools: EndingTools = {
  cut: cutConnection,
  fail: (req, res, error) => requestRecord(req, res).fail(error),
}

type Step = (req: never, res: never, next: () => void) => void

/** All who observe, in one process. */
class Observed {
  private readonly register = new Registry()
  private readonly log = recorded()
  private readonly steps: Step[] = [
    tracing(),
    requestLogger({ logger: this.log.logger }),
    httpMetrics({ register: this.register }),
  ] as unknown as Step[]

  readonly watch = (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const run = (index: number): void =>
      this.steps[index] === undefined
        ? next()
        : this.steps[index](req as never, res as never, () => run(index + 1))
    run(0)
  }

  async said(): Promise<{
    line: Record<string, unknown>
    labels: Record<string, string> | undefined
    span: ReadableSpan
  }> {
    const span = await server()
    const [line] = await this.log.lines(1)
    const families = await fleet({ register: this.register }).snapshot()
    const duration = families.find(({ name }) => name === 'http_server_request_duration_seconds')!
    return { line: line!, labels: duration.series[0]?.labels, span }
  }
}

/** One ending, told thrice. */
function expectAgreement(
  { line, labels, span }: Awaited<ReturnType<Observed['said']>>,
  { cause, side, status }: { cause: string; side: string | undefined; status: number | undefined },
): void {
  const { attributes } = span
  const isFailure = side === 'server' || (side === undefined && status! >= 500)
  expect(span.status.code).toBe(isFailure ? SpanStatusCode.ERROR : SpanStatusCode.UNSET)
  expect(line.level === 'error').toBe(isFailure)
  expect(attributes['scale.ending']).toBe(cause === 'answered' ? undefined : cause)
  expect(attributes['scale.ending']).toBe(line.ending)
  expect(attributes['scale.ending.side']).toBe(side)
  expect(attributes['error.type']).toBe(labels?.error_type)
  expect(attributes['http.response.status_code']).toBe(side === 'client' ? undefined : status)
  expect(String(attributes['http.response.status_code'])).toBe(String(labels?.http_response_status_code))
  expect(attributes['http.route']).toBe(labels?.http_route)
  expect(line).toMatchObject({ trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId })
  const exception = span.events.find(({ name }) => name === 'exception')?.attributes?.['exception.type']
  const err = line.err as { code?: string; type: string } | undefined
  expect(exception).toBe(err === undefined ? undefined : (err.code ?? err.type))
}

it.each(http1Endings.map((one) => [one.name, one] as const))('HTTP/1.1: %s', async (_, one) => {
  const observed = new Observed()
  onTestFinished(await endHttp1(one, 'alone', observed.watch, tools))
  expectAgreement(await observed.said(), one)
})

it.each(http2Endings.map((one) => [one.name, one] as const))('HTTP/2: %s', async (_, one) => {
  const observed = new Observed()
  onTestFinished(await endHttp2(one, observed.watch, tools))
  expectAgreement(await observed.said(), one)
})

it('an upgraded connection has a span as long as it lasts', async () => {
  const observed = new Observed()
  const upgrading = http.createServer().on('upgrade', (req, socket) => {
    observed.watch(req, new http.ServerResponse(req), () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    socket.on('end', () => socket.end()).resume()
  })
  await once(upgrading.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void upgrading.close())
  const socket = connect((upgrading.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await once(socket, 'data')
  socket.end()
  const { line, labels, span } = await observed.said()
  expect(line.ending).toBe('upgraded')
  expect(labels).toBeUndefined()
  expect(span.attributes).toMatchObject({ 'scale.ending': 'upgraded', 'http.response.status_code': 101 })
  expect(span.status.code).toBe(SpanStatusCode.UNSET)
})

describe.each(frameworks)('with the error handler of `@scale/errors`, under %s,', (_, framework) => {
  it.each<
    [
      what: string,
      handler: express.RequestHandler,
      ending: { cause: string; side: 'client' | 'server' | undefined; status: number | undefined },
      told: Partial<FailureMessage> & { outcome: string },
    ]
  >([
    [
      'a failure before the answer',
      () => {
        throw Object.assign(new Error('no'), { code: 'NO_LUCK' })
      },
      { cause: 'answered', side: undefined, status: 500 },
      { outcome: 'answered', status: 500 },
    ],
    [
      'a failure in the middle',
      (_req, res, next) => void res.write('half', () => next(new TypeError('no'))),
      { cause: 'error', side: 'server', status: 200 },
      { outcome: 'cut', status: 500 },
    ],
  ])('%s', async (_name, handler, ending, told) => {
    const published: FailureMessage[] = []
    onTestFinished(channel<FailureMessage>('scale:errors:failure').subscribe((one) => published.push(one)))
    const observed = new Observed()
    const app = framework()
    app.use(observed.watch as express.RequestHandler)
    app.get('/', handler)
    app.use(errorHandler() as express.ErrorRequestHandler)
    const served = http.createServer(app)
    await once(served.listen(0, '127.0.0.1'), 'listening')
    const request = http
      .get({ port: (served.address() as AddressInfo).port, host: '127.0.0.1' })
      .on('error', () => {})
      .on('response', (response) => void response.on('error', () => {}).resume())
    onTestFinished(() => {
      request.destroy()
      served.close()
      served.closeAllConnections()
    })
    const said = await observed.said()
    expectAgreement(said, ending)
    expect(published).toEqual([expect.objectContaining(told)])
    const err = said.line.err as { code?: string; type: string }
    expect(said.span.events.at(-1)!.attributes!['exception.type']).toBe(err.code ?? err.type)
  })

  it('a client that leaves', async () => {
    const published: FailureMessage[] = []
    onTestFinished(channel<FailureMessage>('scale:errors:failure').subscribe((one) => published.push(one)))
    const observed = new Observed()
    const app = framework()
    app.use(observed.watch as express.RequestHandler)
    app.get('/', (_req, res, next) => {
      res.once('close', () => next(new Error('nobody is there')))
      request.destroy()
    })
    app.use(errorHandler() as express.ErrorRequestHandler)
    const served = http.createServer(app)
    await once(served.listen(0, '127.0.0.1'), 'listening')
    const request = http
      .get({ port: (served.address() as AddressInfo).port, host: '127.0.0.1' })
      .on('error', () => {})
    onTestFinished(() => void served.close())
    expectAgreement(await observed.said(), { cause: 'left', side: 'client', status: undefined })
    await vi.waitFor(() => expect(published).toHaveLength(1))
    expect(published[0]).toMatchObject({ outcome: 'client-left', status: 499 })
  })
})
