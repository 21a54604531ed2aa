import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, newcomer, type Service, startService } from '../../users-profile/test/service.js'
import { logInAtProvider, TestBrowser } from './browser.js'
import { startProvider, type TestProvider } from './provider.js'

const ADDRESS = 'https://users.example.org'
const CALLBACK = `${ADDRESS}/v1/login/oidc/callback`
const DISCOVERY = '/.well-known/openid-configuration'

let provider: TestProvider
let silent: Server
/** Requests to the silent one, not connections: the client may open one that it does not use. */
let heard = 0
let service: Service
let waiting: Service
const subject = `sub-${process.pid}-${Date.now()}`

beforeAll(async () => {
  provider = await startProvider(CALLBACK)
  provider.accounts.set(subject, { email: newcomer().email, email_verified: true })
  await provider.stop()
  silent = createServer((socket) => socket.on('data', () => heard++))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  // One process without Redis: the login works there too.
  const env = { WEB_CONCURRENCY: '1', REDIS_URL: 'none', TRUST_PROXY: '1', ...provider.env }
  ;[service, waiting] = await Promise.all([
    startService(env),
    startService({ ...env, OIDC_ISSUER: `http://127.0.0.1:${port}` }),
  ])
})
afterAll(async () => {
  expect(await Promise.all([service.stop(), waiting.stop()])).toEqual([0, 0])
  await provider.stop()
  silent.close()
})

describe('a provider that is away', () => {
  const browse = (): TestBrowser => new TestBrowser(ADDRESS, service.url)
  const begin = (browser = browse()) => browser.get(`${ADDRESS}/v1/login/oidc`)
  const asked = (path: string): number => provider.requests.filter((request) => request === path).length

  it('keeps nobody from anything else, and who logs in there is told when to come again', async () => {
    const me = newcomer()
    expect((await call(service.url, 'POST', '/v1/users', { body: me })).status).toBe(201)
    expect((await call(service.url, 'POST', '/v1/login', { body: me })).status).toBe(200)
    for (let i = 0; i < 3; i++) {
      const page = await begin()
      expect([page.status, JSON.parse(page.text)]).toEqual([
        503,
        expect.objectContaining({ code: 'LOGIN_PROVIDER_UNAVAILABLE' }),
      ])
      expect(Number(page.headers['retry-after'])).toBeGreaterThan(0)
      expect(page.headers['set-cookie']).toBeUndefined()
      expect(page.text).not.toContain(new URL(provider.issuer).port)
    }
    expect((await fetch(`${service.adminUrl}/readyz`)).status).toBe(200)
  })

  it('is asked once when it is back, however many wait, and everything works without a restart', async () => {
    await provider.start()
    await expect.poll(async () => (await begin()).status, { timeout: 20_000 }).toBe(303)
    const pages = await Promise.all(Array.from({ length: 20 }, () => begin()))
    expect(pages.map(({ status }) => status)).toEqual(pages.map(() => 303))
    expect(asked(DISCOVERY)).toBe(1)
    const browser = browse()
    const url = (await begin(browser)).location!
    const page = await browser.get(await logInAtProvider(browser, url, subject, CALLBACK))
    expect([page.status, page.headers.location]).toEqual([303, '/'])
  })

  it('and goes away between a login and its answer: 503, and the next login works', async () => {
    const browser = browse()
    const callback = await logInAtProvider(browser, (await begin(browser)).location!, subject, CALLBACK)
    await provider.stop()
    const page = await browser.get(callback)
    expect([page.status, (JSON.parse(page.text) as { code: string }).code]).toEqual([
      503,
      'LOGIN_PROVIDER_UNAVAILABLE',
    ])
    expect(Number(page.headers['retry-after'])).toBeGreaterThan(0)
    expect((await browser.json('GET', '/v1/profile')).status).toBe(401)
    await provider.start()
    const again = await logInAtProvider(browser, (await begin(browser)).location!, subject, CALLBACK)
    expect((await browser.get(again)).status).toBe(303)
  })
})

describe('a provider that takes connections and says nothing', () => {
  it('holds up those who came before it was known, by one request, and nobody after them', async () => {
    const begin = () => new TestBrowser(ADDRESS, waiting.url).get(`${ADDRESS}/v1/login/oidc`)
    const pages = Promise.all(Array.from({ length: 10 }, begin))
    await expect.poll(() => heard).toBe(1)
    const me = newcomer()
    expect((await call(waiting.url, 'POST', '/v1/users', { body: me })).status).toBe(201)
    expect((await call(waiting.url, 'POST', '/v1/login', { body: me })).status).toBe(200)
    expect((await pages).map(({ status }) => status)).toEqual(Array(10).fill(503))
    expect((await begin()).status).toBe(503)
    expect(heard).toBe(1)
  })
})
