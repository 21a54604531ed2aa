import { requestContext } from '@scale/core'
import { requestLogger, traceHeaders } from '@scale/logger'
import express from 'express'
import { expect, it } from 'vitest'
import { traceChannels, tracing } from '../src/index.js'
import { recorded } from './support/lines.js'
import { ask, listen } from './support/server.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

it('without an SDK nothing is changed: the ids are those of the logger', async () => {
  const stop = traceChannels()
  const { logger, lines } = recorded()
  const app = express()
  app.use(tracing(), requestLogger({ logger }))
  app.get('/', (_req, res) => void res.json({ headers: traceHeaders(), context: requestContext() }))
  const { text } = await ask(await listen(app), '/', { traceparent: `00-${TRACE}-b7ad6b7169203331-01` })
  stop()
  const [line] = await lines(1)
  expect(line).toMatchObject({ trace_id: TRACE, 'http.route': '/' })
  const { headers, context } = JSON.parse(text)
  expect(context.spanId).toBe(line!.span_id)
  expect(headers.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
})
