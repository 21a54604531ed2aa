import { gunzipSync } from 'node:zlib'
import * as renamed from '@prometheus-io/client'
import { requestRecord } from '@scale/core'
import express from 'express'
import * as promClient from 'prom-client'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import {
  dashboardHandler,
  fleet,
  httpMetrics,
  metricsHandler,
  packageMetrics,
  poolMetrics,
} from '../../src/index.js'
import { ask, listen, seriesOf } from '../support/server.js'

async function served(register = new Registry()): Promise<number> {
  const handler = metricsHandler({ register })
  return listen((req, res) => void handler(req, res))
}

describe('content', () => {
  it.each([
    [undefined, 'text/plain; version=0.0.4; charset=utf-8'],
    ['*/*', 'text/plain; version=0.0.4; charset=utf-8'],
    ['application/openmetrics-text', 'application/openmetrics-text; version=1.0.0; charset=utf-8'],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ],
    ['application/openmetrics-text;q=0.1, text/plain', 'text/plain; version=0.0.4; charset=utf-8'],
    ['application/openmetrics-text;q=0', 'text/plain; version=0.0.4; charset=utf-8'],
    ['image/png', 'text/plain; version=0.0.4; charset=utf-8'],
  ])('for %s is %s', async (accept, type) => {
    const { headers } = await ask(await served(), { headers: accept === undefined ? {} : { accept } })
    expect(headers['content-type']).toBe(type)
  })

  it('is the same in both formats, each written as it wants to be', async () => {
    const register = new Registry()
    const registers = [register]
    const orders = new Counter({
      name: 'orders_total',
      help: 'Orders\nof "all".',
      labelNames: ['way'],
      registers,
    })
    orders.inc({ way: 'a"b\\c\nd' }, 2)
    new Counter({ name: 'odd', help: 'h', registers }).inc()
    new Histogram({ name: 'wait_seconds', help: 'h', buckets: [0.5, 1], registers }).observe(0.7)
    new Gauge({ name: 'no_number', help: 'h', registers }).set(Number.NaN)
    const port = await served(register)
    const text = (await ask(port)).text
    expect(text).toContain(
      '# HELP orders_total Orders\\nof "all".\n# TYPE orders_total counter\norders_total{way="a\\"b\\\\c\\nd"} 2\n',
    )
    expect(text).toContain(
      [
        '# TYPE wait_seconds histogram',
        'wait_seconds_bucket{le="0.5"} 0',
        'wait_seconds_bucket{le="1"} 1',
        'wait_seconds_bucket{le="+Inf"} 1',
        'wait_seconds_sum 0.7',
        'wait_seconds_count 1\n',
      ].join('\n'),
    )
    const open = (await ask(port, { headers: { accept: 'application/openmetrics-text' } })).text
    expect(open).toContain('# TYPE orders counter\norders_total{way="a\\"b\\\\c\\nd"} 2\n')
    expect(open).toContain('# TYPE odd unknown\nodd 1\n')
    expect(open).toContain('wait_seconds_bucket{le="1.0"} 1')
    expect(open.endsWith('# EOF\n')).toBe(true)
  })

  it('is compressed for those who can read it', async () => {
    const port = await served()
    const plain = await ask(port)
    const packed = await ask(port, { headers: { 'accept-encoding': 'br, gzip;q=0.5' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.bytes).toString()).toBe(plain.text)
    const refused = await ask(port, { headers: { 'accept-encoding': 'gzip;q=0' } })
    expect(refused.headers['content-encoding']).toBeUndefined()
  })

  it('is only read', async () => {
    const port = await served()
    expect(await ask(port, { method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    })
    const head = await ask(port, { method: 'HEAD' })
    expect([head.status, head.text, Number(head.headers['content-length']) > 100]).toEqual([200, '', true])
  })
})

describe.each([
  ['prom-client', promClient],
  ['@prometheus-io/client', renamed as unknown as typeof promClient],
])('an app of %s', (_, library) => {
  it('sees our series in its own /metrics, and those of its own classes in ours', async () => {
    const register = new library.Registry()
    const registers = [register]
    new library.Counter({ name: 'own_total', help: 'h', labelNames: ['a'], registers }).inc({ a: 'x' }, 3)
    new library.Gauge({ name: 'own_gauge', help: 'h', registers, aggregator: 'average' }).set(7)
    new library.Gauge({ name: 'own_hidden', help: 'h', registers, aggregator: 'omit' }).set(7)
    const histogram = new library.Histogram({ name: 'own_seconds', help: 'h', buckets: [1, 2], registers })
    for (const value of [0.5, 1.5, 1.6, 9]) histogram.observe(value)
    new library.Summary({ name: 'own_size', help: 'h', registers }).observe(5)
    const app = express().use(httpMetrics({ register }))
    app.get('/users/:id', (_req, res) => void res.end())
    const theirs = await listen((_req, res) => void register.metrics().then((text) => res.end(text)))
    const ours = await listen((req, res) => void metricsHandler({ register })(req, res))
    await ask(await listen(app), { path: '/users/7' })

    const count =
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_response_status_code="200",http_route="/users/:id"} 1'
    const [own, whole] = [(await ask(theirs)).text, (await ask(ours)).text]
    expect(own.split('\n')).toEqual(expect.arrayContaining([count, 'own_total{a="x"} 3', 'own_size_count 1']))
    expect(own).toContain('quantile="0.5"')
    expect(whole.split('\n')).toEqual(
      expect.arrayContaining([
        count,
        'own_total{a="x"} 3',
        'own_gauge{worker="1"} 7',
        'own_seconds_bucket{le="1"} 1',
        'own_seconds_bucket{le="2"} 3',
        'own_seconds_bucket{le="+Inf"} 4',
        'own_seconds_sum 12.6',
        'own_seconds_count 4',
        'own_size_count 1',
        'own_size_sum 5',
      ]),
    )
    expect(whole).not.toContain('quantile')
    expect(whole).not.toContain('own_hidden')
  })

  it('may write OpenMetrics, use default labels, reset, and merge: ours are metrics like its own', async () => {
    const register = new library.Registry() as promClient.Registry<promClient.RegistryContentType>
    register.setContentType(library.Registry.OPENMETRICS_CONTENT_TYPE)
    register.setDefaultLabels({ zone: 'b' })
    new library.Counter({ name: 'own_total', help: 'h', registers: [register] }).inc()
    const app = express().use(httpMetrics({ register, bodySizes: false }))
    const port = await listen(app)
    await ask(port)
    const served = await listen((req, res) => void metricsHandler({ register })(req, res))
    const active = 'http_server_active_requests{zone="b",http_request_method="GET",url_scheme="http"} 0'
    for (const _ of ['names are not worn out by writing', 'also the second time']) {
      const text = await register.metrics()
      expect(text).toContain('own_total{zone="b"} 1\n')
      expect(text).toContain('# TYPE scale_metrics_overflow counter\n')
      const lines = (await ask(served)).text.split('\n')
      expect(lines).toContain('own_total{zone="b"} 1')
      expect(lines).toContain(active)
    }
    const json = await register.getMetricsAsJSON()
    expect(json.find(({ name }) => name === 'http_server_request_duration_seconds')!.values).toContainEqual({
      metricName: 'http_server_request_duration_seconds_bucket',
      labels: expect.objectContaining({ le: '+Inf', zone: 'b', http_request_method: 'GET' }),
      value: 1,
    })
    register.resetMetrics()
    expect(Object.values(await seriesOf(register, 'http_server_request_duration_seconds'))).toEqual([0])
    await ask(port)
    expect(Object.values(await seriesOf(register, 'http_server_request_duration_seconds'))).toEqual([1])
    register.removeSingleMetric('http_server_active_requests')
    expect((await ask(served)).text).not.toContain('active_requests')
  })

  it('is told of two metrics with one name, whoever comes second', () => {
    const code = expect.objectContaining({ code: 'ERR_SCALE_METRIC_CONFLICT' })
    const name = 'http_server_active_requests'
    const first = new library.Registry()
    new library.Gauge({ name, help: 'theirs', registers: [first] })
    expect(() => httpMetrics({ register: first })).toThrow(code)
    const second = new library.Registry()
    httpMetrics({ register: second })
    expect(() => new library.Gauge({ name, help: 'theirs', registers: [second] })).toThrow(
      'already been registered',
    )
    expect(() => httpMetrics({ register: second, bounds: [1] })).toThrow(code)
    expect(() => httpMetrics({ register: second })).not.toThrow()
  })

  it('has the default metrics of the library, collected once', async () => {
    const expected = [
      'nodejs_gc_duration_seconds',
      'nodejs_version_info',
      'nodejs_heap_space_size_used_bytes',
    ]
    const [app, ours, none] = [new library.Registry(), new library.Registry(), new library.Registry()]
    library.collectDefaultMetrics({ register: app })
    const stops = [
      packageMetrics({ register: app }),
      packageMetrics({ register: ours }),
      packageMetrics({ register: none, defaultMetrics: false }),
    ]
    for (const stop of stops) stop()
    for (const register of [app, ours]) {
      expect(register.getMetricsAsArray().map(({ name }) => name)).toEqual(expect.arrayContaining(expected))
    }
    expect(none.getMetricsAsArray().map(({ name }) => name)).not.toContain(expected[0])
    const text = (await ask(await served(ours))).text
    for (const name of ['process_start_time_seconds', 'process_resident_memory_bytes']) {
      expect(text).toMatch(new RegExp(`^${name}\\{worker="1"\\} \\d`, 'm'))
    }
  })
})

it('metrics that fail or never answer cost nothing but their news', async () => {
  const register = new Registry()
  let answer: (gauge: Gauge) => Promise<void> | void = (gauge) => gauge.set(4)
  new Gauge({
    name: 'own_gauge',
    help: 'h',
    registers: [register],
    collect() {
      return answer(this)
    },
  })
  const well = new Counter({ name: 'well_total', help: 'h', registers: [register] })
  expect(await seriesOf(register, 'own_gauge')).toEqual({ '': 4 })
  let asked = 0
  for (const bad of [() => Promise.reject(new Error('x')), () => new Promise<never>(() => {})]) {
    answer = () => {
      asked++
      return bad()
    }
    well.inc()
    const { text } = await ask(await served(register))
    expect(text).toContain('own_gauge 4\n')
    expect(text).toContain(`well_total ${asked}\n`)
  }
  await fleet({ register }).snapshot()
  // One that never answers is not asked again and again.
  expect(asked).toBe(2)
})

it('the last sampled request of each bucket leads to its trace, in OpenMetrics', async () => {
  const register = new Registry()
  const context = { requestId: 'r', traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  const app = express().use(httpMetrics({ register, bounds: [5] }), (req, res) => {
    requestRecord(req, res).context = { ...context, sampled: req.path === '/sampled' }
    res.end()
  })
  const port = await listen(app)
  for (const path of ['/sampled', '/other']) await ask(port, { path })
  const served = await listen((req, res) => void metricsHandler({ register })(req, res))
  const open = (await ask(served, { headers: { accept: 'application/openmetrics-text' } })).text
  const found = open.split('\n').filter((line) => line.includes(' # '))
  expect(found).toEqual([
    expect.stringMatching(
      /le="5.0",.*\} 2 # \{trace_id="a{32}",span_id="b{16}"\} 0\.\d+(?:e-\d+)? \d+(?:\.\d+)?$/,
    ),
  ])
  expect((await ask(served)).text).not.toContain(context.traceId)
})

it('a fleet has its options from who makes it first', () => {
  const register = new Registry()
  const one = fleet({ register, maxSeries: 5 })
  expect(fleet({ register })).toBe(one)
  expect(fleet({ register, maxSeries: 5 })).toBe(one)
  expect(() => fleet({ register, maxSeries: 6 })).toThrow('before anything else')
  expect(fleet()).toBe(fleet({ register: promClient.register }))
})

it.each<[what: string, make: () => unknown, message: string]>([
  ['an unknown name', () => httpMetrics({ presett: 'otel' } as never), 'Did you mean `preset`?'],
  ['a wrong preset', () => httpMetrics({ preset: 'statsd' as never }), "one of 'otel', 'legacy'"],
  ['buckets that descend', () => httpMetrics({ bounds: [2, 1] }), 'ascending'],
  ['a registry of another make', () => httpMetrics({ register: {} as never }), 'prom-client'],
  ['no series at all', () => fleet({ register: new Registry(), maxSeries: 0 }), 'maxSeries'],
  ['a deadline beyond a second', () => metricsHandler({ deadlineMs: 5_000 }), 'deadlineMs'],
  ['a page that asks all the time', () => dashboardHandler({ refreshMs: 1 }), 'refreshMs'],
  ['default metrics by name', () => packageMetrics({ defaultMetrics: 'gc' as never }), 'defaultMetrics'],
  ['a pool without a name', () => poolMetrics('', () => ({})), 'poolMetrics'],
])('%s is refused', (_what, make, message) => {
  expect(make).toThrow(message)
})
