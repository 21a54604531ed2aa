import http from 'node:http'
import { type DiagLogger, diag, trace } from '@opentelemetry/api'
import { log, requestLogger, traceHeaders } from '@scale/logger'
import { httpMetrics } from '@scale/metrics'
import { Registry } from 'prom-client'
import { expect, it, onTestFinished, vi } from 'vitest'
import { tracing } from '../src/index.js'
import { instrumented } from './support/instrumented.js'
import { recorded } from './support/lines.js'
import { ask, listen } from './support/server.js'
import { telemetry } from './support/telemetry.js'

const { server, spans } = telemetry()
const express = instrumented()
const TRACE = '0af7651916cd43dd8448eb211c80319c'
/** Not sampled, so that the client of the test, which is instrumented too, is not in the way. */
const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` }

it('its span of the request is used, and there is no second one', async () => {
  const app = express()
  app.use(tracing())
  app.get('/users/:id', (_req, res) => void res.json({}))
  await ask(await listen(app), '/users/7', headers)
  const span = await server()
  expect(span.instrumentationScope.name).toBe('@opentelemetry/instrumentation-http')
  expect(span.name).toBe('GET /users/:id')
  expect(span.attributes).toMatchObject({ 'http.route': '/users/:id' })
  // Those of the middleware are below it.
  const layers = spans().filter(({ instrumentationScope }) => instrumentationScope.name.endsWith('express'))
  expect(layers.map(({ name }) => name)).toContain('middleware - tracing')
  expect(new Set(layers.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(
    new Set([span.spanContext().spanId]),
  )
})

it('it is ended by who has begun it, and mounted twice it is told once', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const warn = vi.fn()
  const quiet = { error: warn, warn, info: () => {}, debug: () => {}, verbose: () => {} }
  diag.setLogger(quiet satisfies DiagLogger)
  onTestFinished(() => diag.disable())
  const app = express()
  app.use(tracing(), tracing())
  app.get('/', () => {
    throw new TypeError('no')
  })
  await ask(await listen(app), '/', headers)
  const { events } = await server()
  expect(events.map(({ name }) => name)).toEqual(['exception'])
  // Whoever ends or changes an ended span is told so by the SDK.
  expect(warn.mock.calls).toEqual([])
})

it('an error, and the route where it knows none, are told to it', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const app = express()
  app.use(tracing())
  app.get('/users/:id', () => {
    throw new TypeError('no')
  })
  await ask(await listen(app), '/users/7', headers)
  const { attributes, events, status } = await server()
  expect(attributes).toMatchObject({ 'error.type': '500', 'http.response.status_code': 500 })
  expect(events.filter(({ attributes }) => attributes?.['exception.type'] === 'TypeError')).not.toEqual([])
  expect(status.code).toBe(2)
})

it.each([
  ['tracing first', [0, 1]],
  ['the logger first', [1, 0]],
  ['without tracing', [1]],
])('lines and calls have its ids, %s', async (_name, order) => {
  const { logger, lines } = recorded()
  const app = express()
  const steps = [tracing(), requestLogger({ logger })]
  for (const index of order) app.use(steps[index]!)
  app.use(httpMetrics({ register: new Registry() }))
  app.get('/', (_req, res) => {
    log().info('within')
    res.json({ ...traceHeaders(), active: trace.getActiveSpan()!.spanContext().spanId })
  })
  const { traceparent, active } = JSON.parse((await ask(await listen(app), '/', headers)).text)
  const ids = (await server()).spanContext()
  const [within, request] = await lines(2)
  expect(request).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId, trace_flags: '01' })
  // The handler has a span of its own.
  expect(within).toMatchObject({ trace_id: ids.traceId, span_id: active })
  expect(traceparent).toBe(`00-${ids.traceId}-${active}-01`)
})

it('a call that is instrumented too has its own span as parent, whatever was handed to it', async () => {
  const received: (string | undefined)[] = []
  const upstream = await listen((req, res) => {
    received.push(req.headers.traceparent as string | undefined)
    res.end()
  })
  const app = express()
  app.use(tracing())
  app.get('/', (_req, res) => {
    http.get({ host: '127.0.0.1', port: upstream, headers: traceHeaders() }, (answer) => {
      answer.on('end', () => res.end()).resume()
    })
  })
  await ask(await listen(app), '/', headers)
  await vi.waitFor(() => expect(spans().filter(({ kind }) => kind === 1)).toHaveLength(2))
  const clients = spans().filter(({ kind }) => kind === 2)
  const [, , ids] = received[0]!.split('-')
  expect(clients.map((span) => span.spanContext().spanId)).toContain(ids)
})
