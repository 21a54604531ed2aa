import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { channel } from '@scale/core'
import express from 'express'
import { afterAll, expect, it, onTestFinished } from 'vitest'
import { traceChannels, tracing } from '../src/index.js'
import { ask, listen } from './support/server.js'
import { telemetry } from './support/telemetry.js'

interface Exported {
  resourceSpans: {
    scopeSpans: {
      scope: { name: string }
      spans: {
        traceId: string
        spanId: string
        parentSpanId?: string
        name: string
        kind: number
        status: { code?: number }
        startTimeUnixNano: string
        endTimeUnixNano: string
        attributes: { key: string; value: object }[]
      }[]
    }[]
  }[]
}

/** What a collector is sent, as OTLP over HTTP. */
const received: Exported[] = []
const collector = createServer((req, res) => {
  let body = ''
  req.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk
  })
  req.on('end', () => {
    if (req.url === '/v1/traces') received.push(JSON.parse(body) as Exported)
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
})
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  collector.closeAllConnections()
  collector.close()
})
const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
const processor = new BatchSpanProcessor(new OTLPTraceExporter({ url }))
const { server } = telemetry(processor)

it('a collector is sent the span of a request and what was done for it', async () => {
  onTestFinished(traceChannels())
  const app = express()
  app.use(tracing())
  app.get('/users/:id', (_req, res) => {
    channel('scale:redis:operation').publish({ operation: 'get', outcome: 'timeout', durationMs: 5 })
    res.json({})
  })
  await ask(await listen(app), '/users/7')
  const { traceId, spanId } = (await server()).spanContext()
  await processor.forceFlush()
  const scopes = received.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans),
  )
  expect(scopes.map(({ scope }) => scope.name)).toEqual(['@scale/tracing'])
  const sent = scopes.flatMap((scope) => scope.spans)
  expect(sent).toHaveLength(2)
  const request = sent.find(({ name }) => name === 'GET /users/:id')!
  // SERVER of OTLP is 2, CLIENT 3.
  expect(request).toMatchObject({ traceId, spanId, kind: 2 })
  expect(request.attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: 200 } })
  const operation = sent.find(({ name }) => name === 'redis get')!
  expect(operation).toMatchObject({ traceId, parentSpanId: spanId, kind: 3, status: { code: 2 } })
  expect(BigInt(operation.endTimeUnixNano) - BigInt(operation.startTimeUnixNano)).toBe(5_000_000n)
})
