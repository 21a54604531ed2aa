import { gunzipSync } from 'node:zlib'
import { Registry as RenamedRegistry, Summary as RenamedSummary } from '@prometheus-io/client'
import * as promClient from 'prom-client'
import { describe, expect, it } from 'vitest'
import {
  createRegistry,
  dashboardHandler,
  type ForeignRegistry,
  httpMetrics,
  metricsHandler,
} from '../src/index.js'
import { ask, listen, seriesOf } from './support/server.js'

async function served(registry = createRegistry()): Promise<number> {
  const handler = metricsHandler({ registry })
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
    const registry = createRegistry()
    registry
      .counter({ name: 'orders_total', help: 'Orders\nof "all".', labels: ['way'] })
      .with('a"b\\c\nd')
      .add(2)
    registry.counter({ name: 'odd', help: 'h' }).with().add()
    registry
      .histogram({ name: 'wait_seconds', help: 'h', bounds: [0.5, 1] })
      .with()
      .observe(0.7)
    const port = await served(registry)
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

describe('registries of others', () => {
  it.each([
    ['prom-client', promClient.Registry, promClient.Summary],
    [
      '@prometheus-io/client',
      RenamedRegistry as unknown as typeof promClient.Registry,
      RenamedSummary as unknown as typeof promClient.Summary,
    ],
  ])('%s: what can be added up is served', async (name, Registry, Summary) => {
    const theirs = new Registry()
    const library =
      name === 'prom-client'
        ? promClient
        : ((await import('@prometheus-io/client')) as unknown as typeof promClient)
    const registers = [theirs]
    new library.Counter({ name: 'own_total', help: 'h', labelNames: ['a'], registers }).inc({ a: 'x' }, 3)
    new library.Gauge({ name: 'own_gauge', help: 'h', registers, aggregator: 'average' }).set(7)
    new library.Gauge({ name: 'own_hidden', help: 'h', registers, aggregator: 'omit' }).set(7)
    const histogram = new library.Histogram({ name: 'own_seconds', help: 'h', buckets: [1, 2], registers })
    for (const value of [0.5, 1.5, 1.6, 9]) histogram.observe(value)
    new Summary({ name: 'own_size', help: 'h', registers }).observe(5)
    const registry = createRegistry({ include: [theirs] })
    const { text } = await ask(await served(registry))
    for (const line of [
      'own_total{a="x"} 3',
      'own_gauge{worker="1"} 7',
      'own_seconds_bucket{le="1"} 1',
      'own_seconds_bucket{le="2"} 3',
      'own_seconds_bucket{le="+Inf"} 4',
      'own_seconds_sum 12.6',
      'own_seconds_count 4',
      'own_size_count 1',
      'own_size_sum 5',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    expect(text).not.toContain('quantile')
    expect(text).not.toContain('own_hidden')
  })

  it('that fail or never answer cost nothing but their news', async () => {
    let answer: () => Promise<unknown[]> = async () => [
      { name: 'own_total', help: 'h', type: 'counter', values: [{ value: 4, labels: {} }] },
      {
        name: 'http_server_active_requests',
        help: 'theirs',
        type: 'gauge',
        values: [{ value: 99, labels: {} }],
      },
    ]
    const theirs: ForeignRegistry = { getMetricsAsJSON: () => answer() }
    const registry = createRegistry({ include: [theirs] })
    httpMetrics({ registry })
    expect(await seriesOf(registry, 'own_total')).toEqual({ '': 4 })
    expect(await seriesOf(registry, 'http_server_active_requests')).toEqual({})
    for (const bad of [() => Promise.reject(new Error('x')), () => new Promise<never>(() => {})]) {
      answer = bad
      const { text } = await ask(await served(registry))
      expect(text).toContain('own_total 4\n')
    }
  })
})

describe('metrics of your own', () => {
  it('have one instrument for a name, and refuse another shape', () => {
    const registry = createRegistry()
    const metric = { name: 'a_total', help: 'h', labels: ['x'] }
    expect(registry.counter(metric)).toBe(registry.counter(metric))
    const code = expect.objectContaining({ code: 'ERR_SCALE_METRIC_CONFLICT' })
    expect(() => registry.gauge({ ...metric, aggregate: 'sum' })).toThrow(code)
    expect(() => registry.counter({ ...metric, labels: [] })).toThrow(code)
  })

  it('never count down or by what is no number', async () => {
    const registry = createRegistry()
    const counter = registry.counter({ name: 'a_total', help: 'h' }).with()
    for (const amount of [1, -1, Number.NaN, Number.POSITIVE_INFINITY, 2]) counter.add(amount)
    expect(await seriesOf(registry, 'a_total')).toEqual({ '': 3 })
  })
})

it.each<[what: string, make: () => unknown, message: string]>([
  ['an unknown name', () => httpMetrics({ presett: 'otel' } as never), 'Did you mean `preset`?'],
  ['a wrong preset', () => httpMetrics({ preset: 'statsd' as never }), "one of 'otel', 'legacy'"],
  ['buckets that descend', () => httpMetrics({ bounds: [2, 1] }), 'ascending'],
  ['a registry of another make', () => httpMetrics({ registry: {} as never }), 'createRegistry'],
  ['an include that is none', () => createRegistry({ include: [{} as never] }), 'getMetricsAsJSON'],
  ['no series at all', () => createRegistry({ maxSeries: 0 }), 'maxSeries'],
  ['a deadline beyond a second', () => metricsHandler({ deadlineMs: 5_000 }), 'deadlineMs'],
  ['a page that asks all the time', () => dashboardHandler({ refreshMs: 1 }), 'refreshMs'],
  ['a name with a dash', () => createRegistry().counter({ name: 'a-b', help: 'h' }), 'letters, digits'],
  ['a label le', () => createRegistry().counter({ name: 'a', help: 'h', labels: ['le'] }), 'label'],
])('%s is refused', (_what, make, message) => {
  expect(make).toThrow(message)
})
