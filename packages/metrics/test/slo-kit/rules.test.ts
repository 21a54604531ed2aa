import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import express from 'express'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fleet, httpMetrics, metricsHandler, packageMetrics, poolMetrics } from '../../src/index.js'
import {
  grafanaDashboard,
  type Objective,
  prometheusRuleResource,
  prometheusRules,
  prometheusRuleTests,
  type SloOptions,
  toYaml,
} from '../../src/slo.js'
import { type Prometheus, unpackPrometheus } from '../support/prometheus.js'
import { ask, listen } from '../support/server.js'

let remove: Prometheus['remove']
let promtool: Prometheus['promtool']
let folder: string

beforeAll(async () => {
  ;({ promtool, folder, remove } = await unpackPrometheus())
}, 300_000)
afterAll(() => remove())

const of = (selector: string, more: object = {}): readonly Objective[] => [
  { name: 'own', target: 0.99, selector, ...more },
]
const optionSets: [name: string, options: SloOptions | undefined][] = [
  ['nothing', undefined],
  ['one route', { objectives: of('http_route="/a"') }],
  [
    'one service',
    { service: { job: 'users' }, objectives: of('http_route=~"/v1/.*"', { withinSeconds: 1 }) },
  ],
  ['more than one label', { service: { namespace: 'shop', job: 'it\'s "users"' }, windowDays: 28 }],
  ['all but one', { objectives: of('http_route!="/health"') }],
  ['an expression of numbers', { objectives: of('http_route=~"/n\\\\d+(/[a-z]{2,5})?"') }],
  [
    'alternatives, one excluded',
    { objectives: of("http_route=~'/(a|b)/.+', http_route!~`/a/.*|.*/x`,", { target: 0.5 }) },
  ],
  ['a method, and quotes', { objectives: of('http_request_method=~"PUT|POST",http_route="/\\"x\\\\"') }],
  ['what does not exist', { objectives: of('http_route=""', { target: 0.95 }), windowDays: 7 }],
  [
    'a label of the target',
    { objectives: of('instance=~"10[.].*:[0-9]{4}",url_scheme="https"'), windowDays: 90 },
  ],
]

describe.each(optionSets)('rules for %s', (name, options) => {
  const file = `${name.replaceAll(/\W/g, '-')}.yml`

  it('are rules to promtool, also inside the resource of the operator', async () => {
    await writeFile(join(folder, file), toYaml(prometheusRules(options)))
    expect(await promtool(['check', 'rules', file])).toContain('SUCCESS')
    const metadata = { name: 'own-slo', namespace: 'shop', labels: { prometheus: 'main' } }
    const resource = prometheusRuleResource(metadata, options)
    expect(resource).toMatchObject({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata,
    })
    // As `kubectl` has it: what lies below `spec:`, moved to the left.
    const [, spec] = toYaml(resource).split(/^spec:\n/m)
    await writeFile(join(folder, `spec-${file}`), spec!.replace(/^ {2}/gm, ''))
    expect(await promtool(['check', 'rules', `spec-${file}`])).toContain('SUCCESS')
  })

  it('fire when they should, and only then', async () => {
    await writeFile(join(folder, file), toYaml(prometheusRules(options)))
    await writeFile(join(folder, `test-${file}`), toYaml(prometheusRuleTests(file, options)))
    expect(await promtool(['test', 'rules', `test-${file}`])).toContain('SUCCESS')
  })
})

it('rule tests notice rules of another threshold or selector, and services that are one', async () => {
  const options: SloOptions = { objectives: of('http_route=~"/v1/.*"'), service: { job: 'users' } }
  const rules = toYaml(prometheusRules(options))
  const tests = prometheusRuleTests('changed.yml', options)
  const changes: [from: string, to: string, test: string][] = [
    ['> 0.06', '> 0.2', 'over hours'],
    ['> 0.01', '> 0.001', 'within'],
    ['http_route=~\\"/v1/.*\\",', '', 'within'],
    ['error_type!=\\"client_disconnect\\"', 'job=\\"users\\"', 'over hours'],
    ['sum by (job)', 'sum by ()', 'every request'],
  ]
  for (const [from, to, test] of changes) {
    expect(rules).toContain(from)
    await writeFile(join(folder, 'changed.yml'), rules.replaceAll(from, to))
    const some = { ...tests, tests: tests.tests.filter(({ name }) => name.includes(test)) }
    await writeFile(join(folder, 'changed-test.yml'), toYaml(some))
    await expect(promtool(['test', 'rules', 'changed-test.yml']), from).rejects.toThrow('FAILED')
  }
})

it.each<[what: string, options: SloOptions, minutes: number]>([
  ['99.9 %', { objectives: [{ name: 'own', target: 0.999 }] }, 2],
  ['99 %', { objectives: [{ name: 'own', target: 0.99 }] }, 10],
  ['95 %', { objectives: [{ name: 'own', target: 0.95 }] }, 44],
])(
  'a promise of %s: a service that fails entirely beside a busy one is a page in the stated time',
  async (_, options, minutes) => {
    await writeFile(join(folder, 'beside.yml'), toYaml(prometheusRules(options)))
    const rule = prometheusRules(options)
      .groups.flatMap(({ rules }) => rules)
      .find((rule) => 'alert' in rule && rule.alert === 'ScaleSloBurnFast') as {
      labels: Record<string, string>
      annotations: Record<string, string>
    }
    const page = { exp_labels: { ...rule.labels, job: 'small' }, exp_annotations: rule.annotations }
    const at = (minute: number, exp_alerts: unknown[]) => ({
      eval_time: `${minute}m`,
      alertname: 'ScaleSloBurnFast',
      exp_alerts,
    })
    const count = 'http_server_request_duration_seconds_count'
    const tests = {
      rule_files: ['beside.yml'],
      evaluation_interval: '30s',
      tests: [
        {
          interval: '30s',
          input_series: [
            // Three hours well, then nothing but failures: one request a second beside ten thousand.
            { series: `${count}{job="small",http_response_status_code="200"}`, values: '0+30x360 10800x240' },
            {
              series: `${count}{job="small",http_response_status_code="500",error_type="500"}`,
              values: '0x360 30+30x239',
            },
            { series: `${count}{job="busy",http_response_status_code="200"}`, values: '0+300000x600' },
          ],
          alert_rule_test: [at(180, []), at(180 + minutes, [page])],
        },
      ],
    }
    await writeFile(join(folder, 'beside-test.yml'), toYaml(tests))
    expect(await promtool(['test', 'rules', 'beside-test.yml'])).toContain('SUCCESS')
  },
)

it('each burn rate, window and severity is that of the SRE workbook; other windows spend the same shares', () => {
  const pairs = (options: SloOptions): string[] =>
    prometheusRules({ ...options, objectives: [{ name: 'a', target: 0.999 }] })
      .groups.flatMap(({ rules }) => rules)
      .filter((rule) => 'alert' in rule && rule.alert.startsWith('ScaleSloBurn'))
      .flatMap(({ expr }) =>
        [...expr.matchAll(/rate(\w+)\{slo="a"\} > ([\d.]+)/g)].map(
          ([, window, share]) => `${Number(share) * 1_000}x ${window}`,
        ),
      )
  expect(pairs({})).toEqual([
    ...['14.4x 1h', '14.4x 5m', '6x 6h', '6x 30m'],
    ...['3x 1d', '3x 2h', '1x 3d', '1x 6h'],
  ])
  expect(pairs({ windowDays: 60 }).filter((_, index) => index % 2 === 0)).toEqual([
    '28.8x 1h',
    '12x 6h',
    '6x 1d',
    '2x 3d',
  ])
})

it('what is exposed is what promtool wants, but for the names of three gauges of prom-client', async () => {
  const register = new Registry()
  const stop = packageMetrics({ register })
  poolMetrics('postgres', () => ({ size: 1, idle: 1, waiting: 0, max: 10 }), { register })
  const app = express().use(httpMetrics({ register }), httpMetrics({ register, preset: 'legacy' }))
  app.get('/a"b\\c', (_req, res) => void res.send('x'))
  app.get('/metrics', metricsHandler({ register }))
  const port = await listen(app)
  await ask(port, { path: '/a%22b%5Cc' })
  await ask(port)
  const { text } = await ask(port, { path: '/metrics' })
  stop()
  expect(text).toContain('http_server_request_duration_seconds_bucket')
  const complaints = (await promtool(['check', 'metrics'], text).catch(String)).match(/^.*"_total" suffix$/gm)
  expect(complaints).toHaveLength(3)
  expect(complaints!.filter((line) => !/\bnodejs_active_\w+_total /.test(line))).toEqual([])
  const ours = text.replace(/^(?:# \w+ )?nodejs_active_\w+_total.*\n/gm, '')
  expect(await promtool(['check', 'metrics'], ours)).toBe('')
  await expect(
    promtool(['check', 'metrics'], text.replace('# HELP scale_pool_connections', '# HELLO')),
  ).rejects.toThrow()
})

describe('every metric in the shipped files', () => {
  const code = async (): Promise<Set<string>> => {
    const register = new Registry()
    const stop = packageMetrics({ register })
    poolMetrics('any', () => ({}), { register })
    httpMetrics({ register })
    const names = (await fleet({ register }).gather(100)).families.flatMap(({ name, type }) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    )
    stop()
    return new Set(names)
  }
  const rules = prometheusRules().groups.flatMap(({ rules }) => rules)
  const recorded = rules.flatMap((rule) => ('record' in rule ? [rule.record] : []))
  const expressions: [where: string, expr: string][] = [
    ...rules.map((rule): [string, string] => ['record' in rule ? rule.record : rule.alert, rule.expr]),
    ...[grafanaDashboard(), grafanaDashboard({ service: { job: 'a', zone: 'b' } })].flatMap(({ panels }) =>
      panels.flatMap(({ title, targets }) =>
        targets.map(({ expr }): [string, string] => [`panel ${title}`, expr]),
      ),
    ),
  ]

  it('exists in the code, or is recorded by a rule', async () => {
    const known = new Set([...(await code()), ...recorded])
    const used = expressions.flatMap(([where, expr]) =>
      [...expr.matchAll(/(?:scale|http|process)[:_][a-z0-9_:]*[a-z0-9]/gi)]
        .map(([name]) => ({ where, name, at: expr.indexOf(name) }))
        .filter(({ name }) => !labelNames.has(name)),
    )
    expect(used.length).toBeGreaterThan(60)
    expect(used.filter(({ name }) => !known.has(name))).toEqual([])
  })

  const labelNames = new Set(['http_route', 'http_request_method'])

  it('is in a PromQL that can be parsed', async () => {
    const parsable = expressions.map(([, expr], index) => ({
      record: `check:expression${index}:any`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', '.*'),
    }))
    await writeFile(join(folder, 'parse.yml'), toYaml({ groups: [{ name: 'parse', rules: parsable }] }))
    expect(await promtool(['check', 'rules', 'parse.yml'])).toContain('SUCCESS')
  })
})

it('the dashboard is what Grafana imports: no ids of one installation, no panel over another', () => {
  const { panels, ...dashboard } = JSON.parse(JSON.stringify(grafanaDashboard()))
  expect(dashboard).toMatchObject({ title: expect.any(String), schemaVersion: expect.any(Number) })
  expect(dashboard.id).toBeUndefined()
  const places = panels.map(
    ({ gridPos }: { gridPos: { x: number; y: number } }) => `${gridPos.x},${gridPos.y}`,
  )
  expect(new Set(places).size).toBe(panels.length)
  expect(new Set(panels.map(({ id }: { id: number }) => id)).size).toBe(panels.length)
})

it('the dashboard of one service asks for its series alone, and needs no choice', () => {
  const { uid, title, templating, panels } = JSON.parse(
    JSON.stringify(grafanaDashboard({ service: { job: 'users', zone: 'b' } })),
  )
  expect([uid, title]).toEqual(['scale-users-b', 'Scale service: users, b'])
  expect(templating.list.map(({ name }: { name: string }) => name)).toEqual(['datasource'])
  const asked = JSON.stringify(panels).match(/(?:scale|http|process)[:_][\w:]+\{[^}]*\}/g)!
  expect(asked.length).toBeGreaterThan(30)
  expect(asked.filter((one) => !one.includes('job=\\"users\\",zone=\\"b\\"'))).toEqual([])
})
