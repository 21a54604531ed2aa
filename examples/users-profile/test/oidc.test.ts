import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { logInAtProvider, type Page, TestBrowser } from './browser.js'
import { type ProviderAccount, startProvider, type TestProvider } from './provider.js'
import { call, logOf, newcomer, type Service, startService } from './service.js'

const ADDRESS = 'https://users.example.org'
const CALLBACK = `${ADDRESS}/v1/login/oidc/callback`

let redis: RedisServer
let provider: TestProvider
let one: Service
let other: Service

beforeAll(async () => {
  ;[redis, provider] = await Promise.all([testRedis(), startProvider(CALLBACK)])
  const env = { REDIS_URL: redis.url, WEB_CONCURRENCY: '1', ...provider.env }
  ;[one, other] = await Promise.all([startService(env), startService(env)])
})
afterAll(async () => {
  expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0])
  await provider.stop()
  await redis.stop()
})
afterEach(() => {
  provider.tamper = undefined
})

let people = 0

/** Somebody who has an account at the provider. */
function someone(account: ProviderAccount = {}): { subject: string; email: string } {
  const email = newcomer().email
  const subject = `sub-${process.pid}-${Date.now()}-${people++}`
  provider.accounts.set(subject, { name: 'Grace Hopper', email, email_verified: true, ...account })
  return { subject, email }
}

const browse = (): TestBrowser => new TestBrowser(ADDRESS, one.url)

/** @returns where the service sends the browser */
async function begin(browser: TestBrowser, query = ''): Promise<string> {
  const page = await browser.get(`${ADDRESS}/v1/login/oidc${query}`)
  expect([page.status, page.text.slice(0, 200)]).toEqual([303, expect.any(String)])
  return page.location!
}

/** @returns the callback, not yet followed */
const atProvider = (browser: TestBrowser, url: string, subject: string): Promise<string> =>
  logInAtProvider(browser, url, subject, CALLBACK)

/** The whole of it. */
async function logIn(browser: TestBrowser, subject: string, query = ''): Promise<Page> {
  return browser.get(await atProvider(browser, await begin(browser, query), subject))
}

const cookieOf = async (browser: TestBrowser): Promise<string | undefined> =>
  (await browser.jar.getCookies(ADDRESS)).find(({ key }) => key === '__Host-session')?.value

const problem = ({ status, text }: Page): unknown[] => [status, (JSON.parse(text) as { code: string }).code]

/** Nobody is logged in there. */
const expectNobody = async (browser: TestBrowser): Promise<void> => {
  expect((await browser.json('GET', '/v1/profile')).status).toBe(401)
}

/** The same address with some parameters of its query set anew, or left out. */
function changed(url: string, parameters: Record<string, string | undefined>): string {
  const result = new URL(url)
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) result.searchParams.delete(name)
    else result.searchParams.set(name, value)
  }
  return result.href
}

describe('a login through the provider', () => {
  it('begun on one copy and finished on the other gives the session that a password gives', async () => {
    const { subject, email } = someone()
    const browser = browse()
    const url = await begin(browser, '?returnTo=%2F%3Ftab%3Dprofile%23top')
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      client_id: 'users-profile',
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid profile email',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
    const before = await cookieOf(browser)
    const callback = await atProvider(browser, url, subject)
    expect(new URL(callback).searchParams.get('iss')).toBe(provider.issuer)
    browser.copy = other.url
    const page = await browser.get(callback)
    expect([page.status, page.headers.location]).toEqual([303, '/?tab=profile#top'])
    expect(page.headers['cache-control']).toBe('no-store')
    expect(page.headers['set-cookie']).toEqual([
      expect.stringMatching(/^__Host-session=.*; HttpOnly.*SameSite=Lax/),
    ])

    browser.copy = one.url
    const profile = await browser.json('GET', '/v1/profile')
    expect([profile.status, JSON.parse(profile.text)]).toEqual([
      200,
      { id: expect.any(String), name: 'Grace Hopper', email, role: 'user', lastSeen: expect.any(String) },
    ])
    const { sessions } = JSON.parse((await browser.json('GET', '/v1/sessions')).text) as {
      sessions: object[]
    }
    expect(sessions).toMatchObject([{ current: true, address: '127.0.0.1' }])
    // Fixation: the token from before the login opens nothing.
    expect(await cookieOf(browser)).not.toBe(before)
    expect((await call(one.url, 'GET', '/v1/sessions', { token: before! })).status).toBe(401)

    expect((await browser.json('POST', '/v1/logout')).status).toBe(204)
    await expectNobody(browser)
  })

  it('is the same user next time, whatever their address is by then, and needs no password', async () => {
    const { subject, email } = someone()
    const idOf = async (browser: TestBrowser): Promise<unknown> =>
      (JSON.parse((await browser.json('GET', '/v1/profile')).text) as { id: string }).id
    const [first, second] = [browse(), browse()]
    await logIn(first, subject)
    provider.accounts.set(subject, { name: 'Rear Admiral', email: newcomer().email, email_verified: false })
    expect((await logIn(second, subject)).status).toBe(303)
    expect(await idOf(second)).toBe(await idOf(first))
    const guess = await call(one.url, 'POST', '/v1/login', { body: { email, password: 'null and void' } })
    expect(guess.status).toBe(401)
  })

  it('of somebody new on both copies at once makes one user', async () => {
    const { subject } = someone()
    const browsers = [browse(), browse(), browse(), browse()]
    const callbacks = await Promise.all(
      browsers.map(async (browser) => atProvider(browser, await begin(browser), subject)),
    )
    const pages = await Promise.all(
      browsers.map((browser, index) => {
        browser.copy = index % 2 ? one.url : other.url
        return browser.get(callbacks[index]!)
      }),
    )
    expect(pages.map(({ status }) => status)).toEqual([303, 303, 303, 303])
    const profiles = await Promise.all(browsers.map((browser) => browser.json('GET', '/v1/profile')))
    expect(new Set(profiles.map(({ text }) => (JSON.parse(text) as { id: string }).id)).size).toBe(1)
  })

  it('works in several tabs of one browser, in any order; with the sixth the first is forgotten', async () => {
    const { subject } = someone()
    const browser = browse()
    const tabs = []
    for (let tab = 0; tab < 6; tab++) tabs.push(await begin(browser, `?returnTo=/tab-${tab}`))
    const callbacks = []
    for (const url of tabs) callbacks.push(await atProvider(browser, url, subject))
    expect(problem(await browser.get(callbacks[0]!))).toEqual([400, 'LOGIN_UNKNOWN'])
    for (const tab of [3, 1, 5]) {
      expect((await browser.get(callbacks[tab]!)).headers.location).toBe(`/tab-${tab}`)
    }
  })

  it('hands nothing of one user over to the next in the same browser', async () => {
    const [first, second] = [someone(), someone()]
    const browser = browse()
    await logIn(browser, first.subject)
    const pending = await begin(browser)
    await browser.jar.removeAllCookies().then(() => undefined)
    expect(pending).toContain(provider.issuer)

    const shared = browse()
    await logIn(shared, first.subject)
    const left = await begin(shared)
    const leftBy = await atProvider(shared, left, first.subject)
    // Another person at the provider: its cookies go, ours stay.
    const ours = await shared.jar.getCookies(ADDRESS)
    await shared.jar.removeAllCookies()
    for (const cookie of ours) await shared.jar.setCookie(cookie, ADDRESS)
    await logIn(shared, second.subject)
    expect(JSON.parse((await shared.json('GET', '/v1/profile')).text)).toMatchObject({ email: second.email })
    expect(problem(await shared.get(leftBy))).toEqual([400, 'LOGIN_UNKNOWN'])
  })
})
