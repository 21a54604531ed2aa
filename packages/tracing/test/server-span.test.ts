import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { requestContext } from '@scale/core'
import { log, requestLogger, traceHeaders } from '@scale/logger'
import { httpMetrics } from '@scale/metrics'
import type express from 'express'
import { Registry } from 'prom-client'
import { describe, expect, it, vi } from 'vitest'
import { tracing } from '../src/index.js'
import { frameworks } from './support/frameworks.js'
import { recorded } from './support/lines.js'
import { ask, listen } from './support/server.js'
import { telemetry } from './support/telemetry.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const traceparent = `00-${TRACE}-${PARENT}-01`
const { server, spans } = telemetry()

function openMetrics(): Registry {
  const register = new Registry()
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  return register
}

describe.each(frameworks)('%s', (_, framework) => {
  const serve = async (setup: (app: express.Express) => void): Promise<number> => {
    const app = framework()
    setup(app)
    return listen(app)
  }

  it('a request has a span with the template of its route', async () => {
    const port = await serve((app) => {
      app.use(tracing())
      const users = framework.Router()
      users.get('/users/:id', (_req, res) => void res.json({}))
      app.use('/v1', users)
    })
    await ask(port, '/v1/users/7?q=secret')
    const span = await server()
    expect(span.name).toBe('GET /v1/users/:id')
    expect(span.kind).toBe(SpanKind.SERVER)
    expect(span.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/v1/users/:id',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'url.scheme': 'http',
    })
    expect(span.status.code).toBe(SpanStatusCode.UNSET)
    expect(span.parentSpanContext).toBeUndefined()
  })

  it('it continues the trace of the caller', async () => {
    const port = await serve((app) => app.use(tracing()))
    await ask(port, '/', { traceparent, tracestate: 'foo=1' })
    const span = await server()
    expect(span.spanContext()).toMatchObject({ traceId: TRACE, traceFlags: 1 })
    expect(span.spanContext().traceState?.serialize()).toBe('foo=1')
    expect(span.parentSpanContext).toMatchObject({ spanId: PARENT, isRemote: true })
  })

  it('it begins a new one with a link where it is to, without the baggage', async () => {
    let baggage: unknown
    const port = await serve((app) => {
      app.use(tracing({ trace: 'restart' }))
      app.get('/', (_req, res) => {
        baggage = propagation.getActiveBaggage()
        res.end()
      })
    })
    await ask(port, '/', { traceparent, baggage: 'tenant=acme' })
    const span = await server()
    expect(span.spanContext().traceId).not.toBe(TRACE)
    expect(span.parentSpanContext).toBeUndefined()
    expect(span.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([[TRACE, PARENT]])
    expect(baggage).toBeUndefined()
  })

  it('line, context, exemplar and call have its ids', async () => {
    const { logger, lines } = recorded()
    const register = openMetrics()
    const port = await serve((app) => {
      app.use(tracing(), requestLogger({ logger }), httpMetrics({ register }))
      app.get('/', async (_req, res) => {
        await new Promise(setImmediate)
        log().info('within')
        res.json({ headers: traceHeaders(), context: requestContext() })
      })
    })
    const { text } = await ask(port, '/', { traceparent, baggage: 'tenant=acme' })
    const { headers, context } = JSON.parse(text)
    const ids = (await server()).spanContext()
    for (const line of await lines(2)) {
      expect(line).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId, trace_flags: '01' })
      expect(line).not.toHaveProperty('link.trace_id')
    }
    expect(context).toMatchObject({ traceId: ids.traceId, spanId: ids.spanId })
    expect(headers).toEqual({
      traceparent: `00-${ids.traceId}-${ids.spanId}-01`,
      baggage: 'tenant=acme',
      'x-request-id': context.requestId,
    })
    expect(await register.metrics()).toContain(`# {trace_id="${ids.traceId}",span_id="${ids.spanId}"}`)
  })

  it('below another span a line and a call have the ids of that one', async () => {
    const { logger, lines } = recorded()
    const tracer = trace.getTracer('app')
    const port = await serve((app) => {
      app.use(tracing(), requestLogger({ logger }))
      app.get('/', (_req, res) => {
        tracer.startActiveSpan('inner', (span) => {
          log().info('within')
          span.end()
          res.json(traceHeaders())
        })
      })
    })
    const { traceparent } = JSON.parse((await ask(port, '/')).text)
    const ids = (await server()).spanContext()
    const inner = spans()
      .find(({ name }) => name === 'inner')!
      .spanContext()
    const [within, request] = await lines(2)
    expect(within).toMatchObject({ trace_id: ids.traceId, span_id: inner.spanId })
    expect(request).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId })
    expect(traceparent).toBe(`00-${ids.traceId}-${inner.spanId}-01`)
  })

  it('without metrics and a logger its ids are in the record all the same', async () => {
    const register = openMetrics()
    const port = await serve((app) => app.use(tracing(), httpMetrics({ register })))
    await ask(port)
    const { traceId } = (await server()).spanContext()
    expect(await register.metrics()).toContain(`trace_id="${traceId}"`)
  })

  it('probes have none, and neither has what they do', async () => {
    let active: unknown = 'nothing'
    const port = await serve((app) => {
      app.use(tracing())
      app.get('/livez', (_req, res) => {
        active = trace.getActiveSpan()
        res.end()
      })
      app.get('/', (_req, res) => void res.end())
    })
    await ask(port, '/livez?x')
    await ask(port, '/')
    expect((await server()).name).toBe('GET /')
    expect(active).toBeUndefined()
  })

  it('mounted twice it makes one span, and one exception', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const port = await serve((app) => {
      app.use(tracing(), tracing())
      app.get('/', () => {
        throw new TypeError('password=hunter2')
      })
    })
    await ask(port)
    const span = await server()
    expect(span.events.map(({ name }) => name)).toEqual(['exception'])
  })

  describe('an error', () => {
    const failing = (options?: Parameters<typeof tracing>[0]): Promise<number> => {
      vi.spyOn(console, 'error').mockImplementation(() => {})
      return serve((app) => {
        app.use(tracing(options))
        app.get('/', () => {
          throw Object.assign(new TypeError('password=hunter2'), { code: 'NO_LUCK' })
        })
      })
    }

    it('is there by its code and its places in the program, without its message', async () => {
      await ask(await failing())
      const { status, attributes, events } = await server()
      expect(status).toEqual({ code: SpanStatusCode.ERROR })
      expect(attributes).toMatchObject({ 'http.response.status_code': 500, 'error.type': '500' })
      expect(events).toHaveLength(1)
      expect(events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.type': 'NO_LUCK' } })
      expect(events[0]!.attributes!['exception.stacktrace']).toMatch(/^ {4}at .*server-span\.test/)
      expect(JSON.stringify(events)).not.toContain('hunter2')
    })

    it('is there as a whole if that is asked for', async () => {
      await ask(await failing({ errors: 'full' }))
      const [event] = (await server()).events
      expect(event!.attributes).toMatchObject({ 'exception.message': 'password=hunter2' })
    })
  })

  it('baggage, path and attributes of the app are written if they are asked for', async () => {
    const port = await serve((app) =>
      app.use(
        tracing({
          baggage: ['tenant', 'none', 'long'],
          urlPath: true,
          attributes: (req) => ({ 'app.agent': req.headers['user-agent'] ?? '' }),
        }),
      ),
    )
    await ask(port, '/a/b?c', {
      baggage: `tenant=acme,other=1,long=${'x'.repeat(1_000)}`,
      'user-agent': 'test',
    })
    const { attributes } = await server()
    expect(attributes).toMatchObject({ 'baggage.tenant': 'acme', 'url.path': '/a/b', 'app.agent': 'test' })
    expect(attributes['baggage.long']).toHaveLength(256)
    expect(Object.keys(attributes).filter((name) => name.startsWith('baggage.'))).toHaveLength(2)
  })

  it('attributes of the app that fail do not keep the span', async () => {
    const port = await serve((app) =>
      app.use(
        tracing({
          attributes: () => {
            throw new RangeError('no')
          },
        }),
      ),
    )
    await ask(port)
    expect((await server()).attributes).toMatchObject({ 'scale.attributes_error': 'RangeError' })
  })

  it('a method that nobody knows is no name of a span', async () => {
    const app = framework()
    app.use((req, _res, next) => {
      ;(req as { method: string }).method = `M${Math.random()}`
      next()
    }, tracing())
    await ask(await listen(app))
    expect((await server()).name).toBe('_OTHER')
  })
})

it('a wrong order is told once', async () => {
  const [, framework] = frameworks[0]!
  const { logger } = recorded()
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const port = await listen(framework().use(requestLogger({ logger }), tracing()))
  await ask(port)
  await ask(port)
  expect(warn.mock.calls).toHaveLength(1)
  expect(String(warn.mock.calls[0]![0])).toContain('before `requestLogger()`')
})

it.each([
  ['an unknown option', { quiet: [] }],
  ['a path that is none', { quietPaths: ['livez'] }],
  ['a wrong trace', { trace: 'stop' }],
  ['a wrong kind of error', { errors: 'none' }],
  ['baggage that is no name', { baggage: [''] }],
])('%s is refused', (_name, options) => {
  expect(() => tracing(options as never)).toThrow(/tracing/)
})

it('a span that was suppressed by others is not replaced', async () => {
  const [, framework] = frameworks[0]!
  const none = trace.wrapSpanContext({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 })
  const app = framework()
  app.use((_req, _res, next) => context.with(trace.setSpan(context.active(), none), next), tracing())
  await ask(await listen(app))
  expect(spans()).toEqual([])
})
