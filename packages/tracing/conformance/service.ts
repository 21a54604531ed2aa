import { SpanKind, trace } from '@opentelemetry/api'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { createLogger, requestLogger, traceHeaders } from '@scale/logger'
import express from 'express'
import { tracing } from '../src/index.js'

// The service that the W3C's harness asks to call it back: with the ids of the logger alone, or with those of an SDK.

interface Order {
  url: string
  arguments: Order[]
}

/** Whose ids are tried. */
export type Subject = 'logger' | 'sdk'

export function service(subject: Subject): express.Express {
  if (subject === 'sdk') new NodeTracerProvider().register()
  const app = express()
  if (subject === 'sdk') app.use(tracing())
  app.use(requestLogger({ logger: createLogger({ level: 'silent' }) }), express.json())
  app.post('/test', async (req, res) => {
    for (const order of req.body as Order[]) await spanned(subject, () => call(order))
    res.json({})
  })
  return app
}

async function call({ url, arguments: orders }: Order): Promise<void> {
  const headers = { ...traceHeaders(), 'content-type': 'application/json' }
  await fetch(url, { method: 'POST', headers, body: JSON.stringify(orders) })
}

/** As an instrumentation of clients does: a span for each call. */
function spanned(subject: Subject, work: () => Promise<void>): Promise<void> {
  if (subject === 'logger') return work()
  return trace.getTracer('conformance').startActiveSpan('POST', { kind: SpanKind.CLIENT }, async (span) => {
    await work()
    span.end()
  })
}
