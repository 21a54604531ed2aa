import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RedisServer } from '../../src/testing/index.js'
import { eventually } from './traffic.js'

let server: RedisServer
let app: ChildProcess
let output = ''
let url: string

beforeAll(async () => {
  server = await testRedis()
  await server.kill()
  const script = fileURLToPath(new URL('./app.ts', import.meta.url))
  app = spawn(process.execPath, ['--import', 'tsx', '--conditions=@scale/source', script, server.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  app.stderr!.on('data', (data) => {
    output += data
  })
  const port = await new Promise((resolve) => app.stdout!.once('data', resolve))
  url = `http://127.0.0.1:${port}`
})
afterAll(async () => {
  app.kill('SIGKILL')
  await server.stop()
})

async function status(): Promise<number> {
  const response = await fetch(url)
  await response.text()
  return response.status
}

const becomes = (expected: number) => eventually(async () => expect(await status()).toBe(expected))

it('comes up while Redis is away, says so to each request, and serves when it comes', async () => {
  const response = await fetch(url)
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.text()).toBe('not-ready')
  await server.restart()
  await becomes(200)
})

it('outlives a killed and a frozen Redis, without a word on the console', async () => {
  await server.kill()
  await becomes(503)
  await server.restart()
  await becomes(200)
  server.pause()
  await becomes(503)
  server.resume()
  await becomes(200)
  expect(app.exitCode).toBeNull()
  expect(app.signalCode).toBeNull()
  expect(output).toBe('')
})
