import { afterEach, expect, test } from 'vitest'
import { resolveAdminOptions, startAdmin } from '../src/admin/admin.js'

const healthy = { started: true, ready: true, reasons: [] as string[], checks: [] }
const servers: { close(): unknown }[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function start(options: object = {}, health = healthy): Promise<string> {
  const { server, url } = await startAdmin(resolveAdminOptions({ port: 0, ...options }), () => health)
  servers.push(server)
  return url
}

test('routes of others: exact, by prefix, never in place of a probe, and safe when they throw', async () => {
  const url = await start({
    routes: {
      '/metrics': (_req: unknown, res: { end(text: string): void }) => res.end('metrics'),
      '/dashboard/*': (req: { url: string }, res: { end(text: string): void }) => res.end(req.url),
      '/livez': (_req: unknown, res: { end(text: string): void }) => res.end('mine'),
      '/broken': () => Promise.reject(new Error('secret')),
    },
  })
  const text = async (path: string): Promise<[number, string]> => {
    const response = await fetch(url + path)
    return [response.status, await response.text()]
  }
  expect(await text('/metrics?format=text')).toEqual([200, 'metrics'])
  expect(await text('/dashboard')).toEqual([200, '/dashboard'])
  expect(await text('/dashboard/a/b')).toEqual([200, '/dashboard/a/b'])
  expect(await text('/dashboards')).toEqual([404, '{"status":"not found"}\n'])
  expect(await text('/livez')).toEqual([200, '{"status":"ok"}\n'])
  expect(await text('/broken')).toEqual([500, '{"status":"error"}\n'])
  expect(await text('/__proto__')).toEqual([404, '{"status":"not found"}\n'])
})

test('ready although something is amiss is 200 and says what', async () => {
  const checks = [{ name: 'redis', ok: false, required: false }]
  const url = await start({}, { ...healthy, reasons: ['dependencies'], checks: checks as never })
  const response = await fetch(`${url}/readyz`)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ status: 'degraded', reasons: ['dependencies'], checks })
  expect((await fetch(`${url}/readyz`, { method: 'HEAD' })).status).toBe(200)
})

test('a port that is taken is a clear error', async () => {
  const url = await start()
  const port = Number(new URL(url).port)
  await expect(start({ port })).rejects.toThrow(
    `runCluster: the admin server cannot listen on port ${port} (EADDRINUSE). Choose another \`admin.port\`.`,
  )
})
