import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, newcomer } from './service.js'

// What the README says of the tutorial's version is true.

const server = fileURLToPath(new URL('../naive/server.js', import.meta.url))
const copies: { url: string; child: ChildProcess }[] = []
const me = newcomer()

async function startCopy(): Promise<void> {
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  copies.push({ url: String(line).trim(), child })
}

beforeAll(async () => {
  await startCopy()
  await startCopy()
})
afterAll(() => {
  for (const { child } of copies) child.kill()
})

it('forgets a session on the second copy, and is slow on every read', async () => {
  const [one, other] = copies as [(typeof copies)[0], (typeof copies)[0]]
  await call(one.url, 'POST', '/v1/users', { body: me })
  const token = String((await call(one.url, 'POST', '/v1/login', { body: me })).body.token)
  const reads = [
    await call(one.url, 'GET', '/v1/profile', { token }),
    await call(one.url, 'GET', '/v1/profile', { token }),
  ]
  for (const { status, tookMs } of reads) {
    expect(status).toBe(200)
    expect(tookMs).toBeGreaterThan(190)
  }
  expect((await call(other.url, 'GET', '/v1/profile', { token })).status).toBe(401)
})
