import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { differences } from './differences.js'
import { type Subject, service } from './service.js'

// Runs the harness of the W3C for Trace Context: `pnpm conformance tracing <checkout>`, with a checkout of w3c/trace-context and a
// Python that has `aiohttp`. Fails if another case fails than those in `differences.ts`, or one of those no longer does.

const [given] = process.argv.slice(2)
const folder = join(resolve(given ?? ''), 'test')
if (given === undefined || !existsSync(join(folder, 'test.py'))) {
  throw new Error('Name a checkout of w3c/trace-context.')
}

// The logger first: an SDK that is registered stays.
for (const subject of ['logger', 'sdk'] as const) await run(subject)

async function run(subject: Subject): Promise<void> {
  const server = createServer(service(subject)).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/test`
  const outcomes = outcomesIn(await harness(endpoint))
  server.closeAllConnections()
  server.close()
  const known = differences[subject]
  for (const [name, isPassed] of outcomes) {
    const reason = known[name]
    if (!isPassed) console.log(`✗ ${name}: ${reason ?? 'of no known reason'}`)
    if (isPassed !== (reason === undefined)) process.exitCode = 1
  }
  const missing = Object.keys(known).filter((name) => !outcomes.has(name))
  if (outcomes.size === 0 || missing.length > 0) {
    console.log(`Not tried: ${missing.join(', ') || 'anything'}.`)
    process.exitCode = 1
  }
  const passed = [...outcomes.values()].filter(Boolean).length
  console.log(`${subject}: ${passed} of ${outcomes.size}`)
}

/** @returns what it has written */
async function harness(endpoint: string): Promise<string> {
  const python = spawn(process.env.PYTHON ?? 'python3', ['test.py', endpoint], {
    cwd: folder,
    env: { ...process.env, SPEC_LEVEL: '2', HARNESS_PORT: await freePort(), PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  for await (const chunk of python.stderr.setEncoding('utf8')) text += chunk
  if (process.env.CONFORMANCE_VERBOSE !== undefined) console.log(text)
  return text
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return String(port)
}

/** Each case is told as `test_name (__main__.Suite.test_name)`, its description if it has one, and ` ... ok` or `FAIL`. */
function outcomesIn(text: string): Map<string, boolean> {
  const cases = text.matchAll(/^(test_\w+) \(__main__\.(\w+)[^)]*\)[\s\S]*? \.\.\. (ok|FAIL|ERROR|skipped)/gm)
  return new Map([...cases].map(([, name, suite, outcome]) => [`${suite}.${name}`, outcome === 'ok']))
}
