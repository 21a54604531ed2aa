import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { channel } from '@scale/core'
import { repeatedText, superLinear } from '@scale/devkit/growth'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fleet, httpMetrics, metricsHandler, packageMetrics } from '../src/index.js'
import { grafanaDashboard, prometheusRules, toYaml } from '../src/slo.js'
import { frameworks } from './support/frameworks.js'

// A generated search for what takes more than its length: whatever a client sends, or a configuration holds, in the place of a text.
// `RUNS` in the environment says how many are tried of each.

const RUNS = Number(process.env.RUNS ?? 40)
const words = [
  ...['a', 'A', '0', '-', '_', '.', '/', '%', '%41', ':', '?', '&', '=', ',', ';', '"', "'", '\\', '\n', ' '],
  ...[
    '|',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '*',
    '+',
    '.*',
    '.+',
    '[a-z]',
    '(a|b)',
    '~',
    '!',
    '$',
    '^',
    'a-b',
    'job="x"',
    ',a="b"',
  ],
  ...['text/plain', ';q=0.5', 'application/openmetrics-text', 'version=', '://', 'http://a'],
]

function search(work: (text: string) => unknown): void {
  const sizes = fc.constantFrom(512, 2_048)
  for (const make of fc.sample(repeatedText(words), 5)) work(make(512))
  fc.assert(
    fc.property(repeatedText(words), sizes, (make, size) => {
      expect(superLinear(work, make, size), make.toString()).toBeUndefined()
    }),
    { numRuns: RUNS, endOnFailure: true },
  )
}

function request(path: string): { req: IncomingMessage; res: ServerResponse } {
  const req = new IncomingMessage(new Socket())
  const clean = path.replace(/[^\x21-\x7e]|[?#]/g, '_')
  Object.assign(req, { method: 'GET', url: `/${clean}` })
  Object.assign(req.headers, {
    host: clean,
    accept: clean,
    'x-forwarded-proto': clean,
    'content-length': clean,
  })
  return { req, res: new ServerResponse(req) }
}

describe.each(frameworks)('a path, where routers are mounted in every way, under %s', (name, framework) => {
  const register = new Registry()
  const app = framework()
  app.use(httpMetrics({ register }))
  const shared = framework.Router()
  shared.get('/users/:id', (_req, res) => void res.end())
  app.use('/tenants/:tenant', shared)
  app.use('/of-:from-:to', shared)
  if (name === 'Express 4') app.use('/:one-:two-:three', shared)
  app.use((_req, res) => void res.end())

  it.each([
    ['before a route', (text: string) => `${text}/users/7`],
    ['as a parameter of a mount', (text: string) => `tenants/${text}/users/7`],
    ['as several parameters of a mount', (text: string) => `of-${text}/users/7`],
    ['behind a route', (text: string) => `tenants/a/users/${text}`],
  ])('%s', (_, path) => {
    search((text) => {
      const { req, res } = request(path(text.replaceAll('/', 'b')))
      app(req as never, res as never)
      res.emit('close')
    })
  })

  it('and the templates are found', async () => {
    const families = await fleet({ register }).snapshot()
    const { series } = families.find(({ name }) => name === 'http_server_request_duration_seconds')!
    const routes = series.map(({ labels }) => labels.http_route)
    expect(routes).toContain('/tenants/:tenant/users/:id')
    expect(routes).toContain('/of-:from-:to/users/:id')
  })
})

it('what a scrape accepts', () => {
  const handler = metricsHandler({ register: new Registry() })
  search((text) => {
    const { req, res } = request(text)
    void handler(req, res)
  })
})

it('names in messages of the packages', () => {
  const register = new Registry()
  onTestFinished(packageMetrics({ register, defaultMetrics: false }))
  search((text) => {
    channel('scale:redis:operation').publish({ operation: text, outcome: text, durationMs: 1 })
    channel('scale:auth:key-set').publish({ url: text, outcome: text, durationMs: 1 })
    channel('scale:cache:read').publish({ cache: text, outcome: text, layer: text, collapsed: false })
  })
})

it('a text of a rule file', () => {
  search((text) => toYaml({ [text]: [text, { text }] }))
})

// An expression of the app's own is tried by JavaScript's engine, which may take exponentially long for one that nests repetitions: it is
// no input of a client, and what Prometheus would take at once is not refused for that. So it is not searched here.
describe('a selector, a service, a title', () => {
  /** What is refused is refused quickly too. */
  const tried = (work: () => unknown): void => {
    try {
      work()
    } catch {
      // It has said why.
    }
  }

  it.each<[name: string, work: (text: string) => unknown]>([
    [
      'rules: selector',
      (text) => prometheusRules({ objectives: [{ name: 'a', target: 0.99, selector: text }] }),
    ],
    ['rules: service', (text) => prometheusRules({ service: { job: text } })],
    ['dashboard', (text) => grafanaDashboard({ service: { job: text } })],
  ])('%s', (_, work) => {
    search((text) => tried(() => work(text)))
  })
})
