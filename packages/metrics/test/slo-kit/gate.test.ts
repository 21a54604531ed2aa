import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { scaleSlo } from '../../src/slo-kit/cli.js'
import { type Prometheus, unpackPrometheus } from '../support/prometheus.js'
import { listen } from '../support/server.js'

let prometheus: Prometheus | undefined
let child: ChildProcess | undefined
let url: string
let folder: string

/** Two weeks of two services: one in a thousand of `users` fails, one in two of `orders`. */
function history(): string {
  const name = 'http_server_request_duration_seconds'
  const now = Math.floor(Date.now() / 1_000)
  const lines = (labels: string, perHour: number): string =>
    Array.from({ length: 14 * 24 + 1 }, (_, hour) => {
      const at = now - (14 * 24 - hour) * 3_600
      return `${name}_count{${labels}} ${perHour * hour} ${at}\n`
    }).join('')
  return [
    `# TYPE ${name} histogram\n`,
    lines('job="users",http_route="/a",http_response_status_code="200"', 9_995),
    lines('job="users",http_route="/a",http_response_status_code="500",error_type="500"', 5),
    lines('job="orders",http_route="/b",http_response_status_code="200"', 50),
    lines('job="orders",http_route="/b",http_response_status_code="500",error_type="500"', 50),
    '# EOF\n',
  ].join('')
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

beforeAll(async () => {
  prometheus = await unpackPrometheus()
  folder = prometheus.folder
  await writeFile(join(folder, 'history.om'), history())
  await prometheus.promtool(['tsdb', 'create-blocks-from', 'openmetrics', 'history.om', 'data'])
  await writeFile(join(folder, 'prometheus.yml'), 'scrape_configs: []\n')
  url = `http://127.0.0.1:${await freePort()}`
  const args = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=${new URL(url).host}`,
  ]
  child = spawn(prometheus.program, args, { cwd: folder, env: prometheus.env, stdio: 'ignore' })
  const isReady = (): Promise<boolean> =>
    fetch(`${url}/-/ready`).then(
      ({ status }) => status === 200,
      () => false,
    )
  await vi.waitUntil(isReady, { timeout: 60_000, interval: 100 })
}, 300_000)
// A hook that is set up inside of another is never called.
afterAll(async () => {
  if (child?.kill('SIGKILL')) await once(child, 'exit')
  await prometheus?.remove()
})

/** Runs the program. */
async function gate(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; error: string }> {
  const said = { out: '', error: '' }
  const code = await scaleSlo(['gate', ...args], {
    env,
    out: (text) => {
      said.out += text
    },
    error: (text) => {
      said.error += text
    },
  })
  return { code, ...said }
}

describe('before a real Prometheus', () => {
  const objectives = [{ name: 'availability', target: 0.999 }]

  it('a service with half of its budget passes, and does not if more is wanted', async () => {
    await writeFile(join(folder, 'users.json'), JSON.stringify({ objectives, service: { job: 'users' } }))
    const asked = ['--prometheus', url, '--slo', join(folder, 'users.json')]
    const passed = await gate([...asked, '--min-remaining', '0.4'])
    expect(passed).toEqual({
      code: 0,
      out: expect.stringMatching(
        /^ok {5}availability job=users: (?:49|50)\.\d % of its error budget left\n$/,
      ),
      error: '',
    })
    const refused = await gate([...asked, '--min-remaining', '0.6'])
    expect(refused).toMatchObject({ code: 1, out: expect.stringMatching(/^refuse availability job=users: /) })
  })

  it('of many services each is looked at by itself: one without a budget is not lost among the busy', async () => {
    await writeFile(join(folder, 'all.json'), JSON.stringify({ objectives }))
    const { code, out } = await gate(['--prometheus', url, '--slo', join(folder, 'all.json')])
    expect(code).toBe(1)
    expect(out).toMatch(/^ok {5}availability job=users: /m)
    expect(out).toMatch(/^refuse availability job=orders: -49\d{3}\.\d % /m)
  })

  it('what cannot be told is neither a yes nor a no', async () => {
    await writeFile(join(folder, 'one.json'), JSON.stringify({ objectives }))
    const one = ['--slo', join(folder, 'one.json')]
    expect(await gate(['--prometheus', url, ...one, '--service', 'job=unknown'])).toEqual({
      code: 2,
      out: '',
      error: 'scale-slo: Prometheus knows no request that counts for `availability`.\n',
    })
    expect(await gate(['--prometheus', `http://127.0.0.1:${await freePort()}`])).toMatchObject({
      code: 2,
      error: expect.stringContaining('did not answer'),
    })
  })
})

it.each<[args: string[], said: string]>([
  [[], '`--prometheus` is missing'],
  [['--prometheus', 'nowhere'], '`url` must be a URL'],
  [['--prometheus', 'http://x', '--min-remaining', 'much'], 'minRemaining'],
  [['--prometheus', 'http://x', '--slo', '/no/such/file'], 'ENOENT'],
  [['--prometheus', 'http://x', '--slo', fileURLToPath(import.meta.url)], 'no JSON'],
  [['--promethius', 'http://x'], 'promethius'],
  [['--prometheus', 'http://x', '--service', 'job'], 'service'],
  [['more'], 'the command is `gate`'],
])('%j ends with 2 and a sentence', async (args, said) => {
  const { code, error } = await gate(args)
  expect([code, error]).toEqual([2, expect.stringContaining(said)])
})

it('a refusal of a proxy is told in its words, and the token it was sent is not', async () => {
  let sent: string | undefined
  const port = await listen((req, res) => {
    sent = req.headers.authorization
    res.writeHead(403).end(JSON.stringify({ status: 'error', error: 'not yours' }))
  })
  const { code, error, out } = await gate(['--prometheus', `http://127.0.0.1:${port}/prom/`], {
    PROMETHEUS_TOKEN: 'hunter2',
  })
  expect(sent).toBe('Bearer hunter2')
  expect([code, error, out]).toEqual([2, 'scale-slo: Prometheus answered 403: not yours.\n', ''])
})

it('shows how it is called', async () => {
  const { code, out } = await gate(['--help'])
  expect([code, out]).toEqual([0, expect.stringContaining('scale-slo gate --prometheus')])
})
