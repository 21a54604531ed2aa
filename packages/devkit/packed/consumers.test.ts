import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RedisServer } from '../../redis/src/testing/index.js'
import { testRedis } from '../src/redis-server.js'
import { typeErrors } from '../src/typecheck.js'
import { install, type Surroundings } from './installation.js'

const app = readFileSync(new URL('./consumer/app.js', import.meta.url), 'utf8')

/** `import { a } from 'b'` → `const { a } = require('b')` */
const appInCommonJs = app.replace(
  /^import (.+) from ('[^']+')$/gm,
  (_, names: string, name: string) => `const ${names} = require(${name})`,
)

let redis: RedisServer
/** Each run has one of its own. */
let database = 0
beforeAll(async () => {
  redis = await testRedis()
})
afterAll(() => redis?.stop())

const combinations: Surroundings[] = [
  { express: 4, ioredis: 5, installer: 'npm' },
  { express: 4, ioredis: 6, installer: 'pnpm' },
  { express: 5, ioredis: 5, installer: 'pnpm' },
  { express: 5, ioredis: 6, installer: 'npm' },
]

describe.each(combinations)('beside Express $express and ioredis $ioredis, by $installer', (surroundings) => {
  let folder: string
  let child: ChildProcess | undefined

  beforeAll(async () => {
    folder = await install(surroundings)
  }, 120_000)
  afterEach(() => {
    child?.kill('SIGKILL')
  })
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it.each([
    { format: 'ES module', file: 'app.mjs', code: app },
    { format: 'CommonJS', file: 'app.cjs', code: appInCommonJs },
  ])('serves as $format', async ({ file, code }) => {
    writeFileSync(join(folder, file), code)
    const started = await start(folder, file, `${redis.url}/${database++}`)
    child = started.child
    await callEverything(started.url)
    child.kill('SIGTERM')
    const [exitCode] = (await once(child, 'exit')) as [number | null]
    expect({ exitCode, stderr: started.stderr() }).toMatchObject({ exitCode: 0 })
  })

  it.each(['nodenext', 'bundler'])('compiles as strict TypeScript, resolved as %s', async (resolution) => {
    const config = `tsconfig.${resolution}.json`
    // As an ES module, and under Node's own rules also as CommonJS.
    const files = resolution === 'nodenext' ? ['app.mts', 'app.cts'] : ['app.mts']
    for (const file of files) writeFileSync(join(folder, file), app)
    writeFileSync(
      join(folder, config),
      JSON.stringify({
        compilerOptions: {
          target: 'es2023',
          module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
          moduleResolution: resolution,
          types: ['node'],
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          noEmit: true,
        },
        files,
      }),
    )
    expect(await typeErrors(join(folder, config))).toBe('')
  })
})

async function start(
  folder: string,
  file: string,
  redisUrl: string,
): Promise<{ child: ChildProcess; url: string; stderr(): string }> {
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { PATH: process.env.PATH, REDIS_URL: redisUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const port = /"port":(\d+)/.exec(stdout)?.[1]
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
    })
    child.on('exit', (code) =>
      reject(new Error(`${file} ended with ${code} before it served:\n${stdout}${stderr}`)),
    )
  })
  return { child, url, stderr: () => stderr }
}

/** Every package shows in one answer. */
async function callEverything(url: string): Promise<void> {
  const json = { 'content-type': 'application/json' }
  const invalid = await fetch(`${url}/login`, { method: 'POST', headers: json, body: '{"name":"x"}' })
  expect(invalid.status).toBe(422)
  expect(invalid.headers.get('content-type')).toContain('application/problem+json')

  const login = await fetch(`${url}/login`, {
    method: 'POST',
    headers: json,
    body: '{"name":"Ada"}',
  })
  expect(login.status).toBe(201)
  const { token } = (await login.json()) as { token: string }

  const authorization = `Bearer ${token}`
  const profile = () => fetch(`${url}/profile`, { headers: { authorization } })
  for (const expected of [200, 200, 200, 429]) {
    const answer = await profile()
    expect(answer.status).toBe(expected)
    if (expected === 200) expect(await answer.json()).toEqual({ userId: 'ada', lookups: 1 })
    else expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }

  expect((await fetch(`${url}/profile`)).status).toBe(401)
  expect((await fetch(`${url}/nothing`)).status).toBe(404)
  const teapot = await fetch(`${url}/teapot`)
  expect(await teapot.json()).toMatchObject({ status: 418, code: 'ERR_SCALE_TEAPOT' })
}
