import { requestRecord } from '@scale/core'
import express from 'express'
import { Registry } from 'prom-client'
import { expect, it, vi } from 'vitest'
import { fleet, httpMetrics } from '../../src/index.js'
import { Family } from '../../src/series/family.js'
import { ask, listen } from '../support/server.js'

it('a metric has as many series in a process as the cap says; the rest is one together', () => {
  const onOverflow = vi.fn()
  const counter = new Family({ type: 'counter', name: 'n_total', help: 'h', labels: ['a'] }, 3, onOverflow)
  for (let index = 0; index < 10; index++) counter.with(String(index)).add()
  const { series } = counter.snapshot()
  expect(series).toHaveLength(4)
  expect(series.at(-1)).toMatchObject({ labels: { otel_metric_overflow: 'true' }, values: [7] })
  expect(onOverflow).toHaveBeenCalledTimes(7)
})

it('a bound belongs to the bucket below it', () => {
  const histogram = new Family(
    { type: 'histogram', name: 'h', help: 'h', labels: [], bounds: [1, 2] },
    3,
    () => {},
  )
  for (const value of [1, 2, 2.5]) histogram.with().observe(value)
  expect(histogram.snapshot().series[0]!.values).toEqual([1, 1, 1, 5.5])
})

it.each([true, false])(
  'of traces that are recorded there are exemplars, of others none: %s',
  async (sampled) => {
    const register = new Registry()
    const app = express()
    app.use(httpMetrics({ register }), (req, res) => {
      requestRecord(req, res).context = {
        requestId: 'r',
        traceId: 'a'.repeat(32),
        spanId: 'b'.repeat(16),
        sampled,
      }
      res.end()
    })
    await ask(await listen(app))
    await vi.waitFor(async () => {
      const families = await fleet({ register }).snapshot()
      const { series } = families.find(({ name }) => name === 'http_server_request_duration_seconds')!
      expect(series.map(({ exemplars }) => exemplars !== undefined)).toEqual([sampled])
    })
  },
)
