import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unpackDebianPackages } from '@scale/devkit/debian'
import express from 'express'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fleet, httpMetrics, metricsHandler, packageMetrics, poolMetrics } from '../../src/index.js'
import {
  defaultObjectives,
  grafanaDashboard,
  type Objective,
  prometheusRules,
  prometheusRuleTests,
  toYaml,
} from '../../src/slo.js'
import { ask, listen } from '../support/server.js'

const run = promisify(execFile)
let promtool: (args: string[], input?: string) => Promise<string>
let folder: string

beforeAll(async () => {
  const { program, env } = await unpackDebianPackages(['prometheus'])
  promtool = async (args, input) => {
    const child = run(program('promtool')!, args, { env: { ...process.env, ...env }, cwd: folder })
    child.child.stdin!.end(input ?? '')
    const { stdout, stderr } = await child.catch((error) => {
      throw new Error(`promtool ${args.join(' ')}: ${error.stdout}${error.stderr}`)
    })
    return stdout + stderr
  }
  folder = await mkdtemp(join(tmpdir(), 'scale-metrics-'))
}, 300_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const objectiveSets: [name: string, objectives: readonly Objective[]][] = [
  ['the default objectives', defaultObjectives],
  [
    'objectives of one route and of whole seconds',
    [
      { name: 'login', target: 0.995, selector: 'http_route="/a"' },
      { name: 'slow', target: 0.95, withinSeconds: 1, selector: 'http_route=~"/.*"' },
    ],
  ],
]

describe.each(objectiveSets)('rules for %s', (name, objectives) => {
  const file = `${name.replaceAll(' ', '-')}.yml`

  it('are rules to promtool', async () => {
    await writeFile(join(folder, file), toYaml(prometheusRules(objectives)))
    expect(await promtool(['check', 'rules', file])).toContain('SUCCESS')
  })

  it('fire when they should, and only then', async () => {
    await writeFile(join(folder, file), toYaml(prometheusRules(objectives)))
    const tests = toYaml(prometheusRuleTests(file, objectives))
    await writeFile(join(folder, `test-${file}`), tests)
    expect(await promtool(['test', 'rules', `test-${file}`])).toContain('SUCCESS')
    // Tests that could not fail would pass with any rules.
    await writeFile(join(folder, file), toYaml(prometheusRules(objectives)).replaceAll('(6 *', '(25 *'))
    const all = prometheusRuleTests(file, objectives)
    const tests7 = all.tests.filter(({ name }) => name.includes('seven times'))
    await writeFile(join(folder, `test7-${file}`), toYaml({ ...all, tests: tests7 }))
    await expect(promtool(['test', 'rules', `test7-${file}`])).rejects.toThrow('FAILED')
  })
})

it('each burn rate, window and severity is that of the SRE workbook', () => {
  const [fast, slow] = prometheusRules([{ name: 'a', target: 0.999 }])
    .groups.flatMap(({ rules }) => rules)
    .filter((rule) => 'alert' in rule && rule.alert.startsWith('ScaleSloBurn'))
  const pairs = (expr: string): string[] =>
    [...expr.matchAll(/rate(\w+)\{slo="a"\} > \(([\d.]+) \* 0\.001\)/g)].map(
      ([, window, factor]) => `${factor}x ${window}`,
    )
  expect(pairs(fast!.expr)).toEqual(['14.4x 1h', '14.4x 5m', '6x 6h', '6x 30m'])
  expect(pairs(slow!.expr)).toEqual(['3x 1d', '3x 2h', '1x 3d', '1x 6h'])
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
    ...grafanaDashboard().panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }): [string, string] => [`panel ${title}`, expr]),
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

it.each([
  [[], 'array'],
  [[{ name: 'Bad Name', target: 0.9 }], 'name'],
  [[{ name: 'a', target: 99.9 }], 'target'],
  [[{ name: 'a', target: 0.9, withinSeconds: 0.3 }], 'withinSeconds'],
  [[{ name: 'a', target: 0.9, selectr: 'x' }], 'selector'],
  [
    [
      { name: 'a', target: 0.9 },
      { name: 'a', target: 0.99 },
    ],
    'names',
  ],
])('objectives %j are refused', (objectives, word) => {
  expect(() => prometheusRules(objectives as Objective[])).toThrow(word)
})
