import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, logOf, newcomer, type Service, startService } from '../../users-profile/test/service.js'
import { logInAtProvider, type Page, TestBrowser } from './browser.js'
import { type ProviderAccount, startProvider, type TestProvider } from './provider.js'

const ADDRESS = 'https://users.example.org'
const CALLBACK = `${ADDRESS}/v1/login/oidc/callback`

let redis: RedisServer
let provider: TestProvider
let one: Service
let other: Service

beforeAll(async () => {
  ;[redis, provider] = await Promise.all([testRedis(), startProvider(CALLBACK)])
  const env = { REDIS_URL: redis.url, WEB_CONCURRENCY: '1', TRUST_PROXY: '1', ...provider.env }
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
  (await browser.jar.getCookies(ADDRESS)).find(({ key }) => key === 'session')?.value

/** Status and code of a problem; of anything else the status. */
const problem = ({ status, text }: Page): unknown[] =>
  status < 400 ? [status] : [status, (JSON.parse(text) as { code: string }).code]

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
    expect(page.headers['set-cookie']).toEqual([expect.stringMatching(/^session=.*; HttpOnly.*SameSite=Lax/)])

    browser.copy = one.url
    const profile = await browser.json('GET', '/v1/profile')
    expect([profile.status, JSON.parse(profile.text)]).toEqual([
      200,
      { id: expect.any(String), name: 'Grace Hopper', email, role: 'user', lastSeen: expect.any(String) },
    ])
    const { sessions } = JSON.parse((await browser.json('GET', '/v1/sessions')).text) as {
      sessions: object[]
    }
    expect(sessions).toMatchObject([{ current: true, address: browser.clientAddress }])
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
    const leftBehind = await atProvider(browser, await begin(browser), first.subject)
    // Another person at the provider: its cookies go, ours stay.
    const ours = await browser.jar.getCookies(ADDRESS)
    await browser.jar.removeAllCookies()
    for (const cookie of ours) await browser.jar.setCookie(cookie, ADDRESS)
    await logIn(browser, second.subject)
    expect(JSON.parse((await browser.json('GET', '/v1/profile')).text)).toMatchObject({ email: second.email })
    expect(problem(await browser.get(leftBehind))).toEqual([400, 'LOGIN_UNKNOWN'])
  })
})

describe('the quota of begun logins', () => {
  it('is one for both copies, and each address has its own', async () => {
    const browser = browse()
    const statuses = []
    for (let i = 0; i < 61; i++) {
      browser.copy = i % 2 ? one.url : other.url
      statuses.push((await browser.get(`${ADDRESS}/v1/login/oidc`)).status)
    }
    expect(statuses).toEqual([...Array(60).fill(303), 429])
    await begin(browse())
  })
})

describe('an answer that is not the one to this login', () => {
  /** Everybody's browser has gone to the provider and is about to come back. */
  async function aboutToReturn(): Promise<{ browser: TestBrowser; callback: string }> {
    const browser = browse()
    const callback = await atProvider(browser, await begin(browser), someone().subject)
    return { browser, callback }
  }

  it.each<[string, Record<string, string | undefined>, string]>([
    ['another state', { state: 'x'.repeat(43) }, 'LOGIN_UNKNOWN'],
    ['no state', { state: undefined }, 'LOGIN_UNKNOWN'],
    ['a state named as what every object has', { state: '__proto__' }, 'LOGIN_UNKNOWN'],
    ['a code that the provider never gave', { code: 'x'.repeat(43) }, 'LOGIN_FAILED'],
    ['no code', { code: undefined }, 'LOGIN_FAILED'],
    ['another issuer', { iss: 'https://evil.example' }, 'LOGIN_FAILED'],
    ['no issuer, of a provider that says it tells (RFC 9207)', { iss: undefined }, 'LOGIN_FAILED'],
    ['tokens of its own', { response: 'x.y.z' }, 'LOGIN_FAILED'],
  ])('%s', async (_, parameters, code) => {
    const { browser, callback } = await aboutToReturn()
    expect(problem(await browser.get(changed(callback, parameters)))).toEqual([400, code])
    await expectNobody(browser)
    // Begun once, answered once: what the answer was does not matter.
    const again = problem(await browser.get(callback))
    expect(again).toEqual(code === 'LOGIN_UNKNOWN' ? [303] : [400, 'LOGIN_UNKNOWN'])
  })

  it('a state given twice', async () => {
    const { browser, callback } = await aboutToReturn()
    expect(problem(await browser.get(`${callback}&state=y`))).toEqual([400, 'LOGIN_UNKNOWN'])
    await expectNobody(browser)
  })

  it('the same answer again, with the session from before and with the one since', async () => {
    const { browser, callback } = await aboutToReturn()
    const before = await browser.jar.clone()
    expect((await browser.get(callback)).status).toBe(303)
    expect(problem(await browser.get(callback))).toEqual([400, 'LOGIN_UNKNOWN'])
    expect((await browser.json('GET', '/v1/profile')).status).toBe(200)
    const past = new TestBrowser(ADDRESS, other.url, before)
    expect(problem(await past.get(callback))).toEqual([400, 'LOGIN_UNKNOWN'])
    await expectNobody(past)
  })

  it('the same answer on both copies at once logs in once', async () => {
    const { browser, callback } = await aboutToReturn()
    const twins = await Promise.all(
      [one, other].map(async ({ url }) => new TestBrowser(ADDRESS, url, await browser.jar.clone())),
    )
    const pages = await Promise.all(twins.map((twin) => twin.get(callback)))
    expect(pages.filter(({ status }) => status === 303)).toHaveLength(1)
    const profiles = await Promise.all(twins.map((twin) => twin.json('GET', '/v1/profile')))
    expect(profiles.map(({ status }) => status).sort()).toEqual([200, 401])
  })

  it('one in a browser without a session, or with the session of another', async () => {
    const { callback } = await aboutToReturn()
    const stranger = browse()
    expect(problem(await stranger.get(callback))).toEqual([400, 'LOGIN_UNKNOWN'])
    expect(await cookieOf(stranger)).toBeUndefined()
    await begin(stranger)
    expect(problem(await stranger.get(callback))).toEqual([400, 'LOGIN_UNKNOWN'])
    await expectNobody(stranger)
  })

  it("the code of somebody else's login, put into one's own answer", async () => {
    const victim = await aboutToReturn()
    const attacker = await aboutToReturn()
    const stolen = new URL(victim.callback).searchParams.get('code')!
    expect(problem(await attacker.browser.get(changed(attacker.callback, { code: stolen })))).toEqual([
      400,
      'LOGIN_FAILED',
    ])
    await expectNobody(attacker.browser)
  })

  it("one tab's code with another tab's state", async () => {
    const { subject } = someone()
    const browser = browse()
    const urls = [await begin(browser), await begin(browser)]
    const callbacks = []
    for (const url of urls) callbacks.push(await atProvider(browser, url, subject))
    const code = new URL(callbacks[0]!).searchParams.get('code')!
    expect(problem(await browser.get(changed(callbacks[1]!, { code })))).toEqual([400, 'LOGIN_FAILED'])
    await expectNobody(browser)
  })

  it.each([
    ['nonce', 'x'.repeat(43)],
    ['code_challenge', 'x'.repeat(43)],
  ])('one to a request whose %s was exchanged on the way', async (name, value) => {
    const browser = browse()
    const url = changed(await begin(browser), { [name]: value })
    const callback = await atProvider(browser, url, someone().subject)
    expect(problem(await browser.get(callback))).toEqual([400, 'LOGIN_FAILED'])
    await expectNobody(browser)
  })

  it.each([
    [
      'is signed by somebody else',
      (token: string) => `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(342)}`,
    ],
    [
      'is not signed',
      (token: string) => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`,
    ],
    ['is no token', () => 'x'],
    ['is missing', () => undefined],
  ])('an ID token that %s', async (_, forge) => {
    const { browser, callback } = await aboutToReturn()
    provider.tamper = (context) => {
      const body = context.body as { id_token?: string } | undefined
      if (context.path !== '/token' || body?.id_token === undefined) return
      context.body = { ...body, id_token: forge(body.id_token) }
    }
    expect(problem(await browser.get(callback))).toEqual([400, 'LOGIN_FAILED'])
    await expectNobody(browser)
  })

  it('what is said of another person than the ID token is about', async () => {
    const { browser, callback } = await aboutToReturn()
    provider.tamper = (context) => {
      if (context.path === '/me') context.body = { ...(context.body as object), sub: 'somebody-else' }
    }
    expect(problem(await browser.get(callback))).toEqual([400, 'LOGIN_FAILED'])
    await expectNobody(browser)
  })
})

describe('an error of the provider', () => {
  it.each([
    ['access_denied', 403, 'LOGIN_REFUSED'],
    ['login_required', 403, 'LOGIN_REFUSED'],
    ['temporarily_unavailable', 503, 'LOGIN_PROVIDER_UNAVAILABLE'],
    ['server_error', 503, 'LOGIN_PROVIDER_UNAVAILABLE'],
    ['unauthorized_client', 502, 'LOGIN_PROVIDER_ERROR'],
    ['<script>canary</script>', 502, 'LOGIN_PROVIDER_ERROR'],
  ])('%s is a problem that repeats nothing of it', async (error, status, code) => {
    const browser = browse()
    const state = new URL(await begin(browser)).searchParams.get('state')!
    const answer = new URLSearchParams({
      ...{ error, state, iss: provider.issuer },
      ...{ error_description: 'canary <b>', error_uri: 'https://canary.example' },
    })
    for (const Accept of ['application/json', 'text/html']) {
      const page = await browser.get(`${CALLBACK}?${answer}`, { Accept })
      if (Accept === 'application/json') expect(problem(page)).toEqual([status, code])
      expect(page.headers['retry-after'] !== undefined).toBe(page.status === 503)
      expect(page.text).not.toMatch(/canary/)
      expect(page.text).not.toContain(state)
    }
    await expectNobody(browser)
  })

  it('somebody who goes back at the provider is told that the login was not completed', async () => {
    const browser = browse()
    const { location } = await browser.get(await begin(browser))
    let page = await browser.get(`${location}/abort`)
    while (!page.location!.startsWith(CALLBACK)) page = await browser.get(page.location!)
    expect(problem(await browser.get(page.location!))).toEqual([403, 'LOGIN_REFUSED'])
  })

  it.each([
    [{ error: 'invalid_client' }, 401, 502, 'LOGIN_PROVIDER_ERROR'],
    [{ error: 'server_error' }, 500, 503, 'LOGIN_PROVIDER_UNAVAILABLE'],
    ['<html>', 502, 503, 'LOGIN_PROVIDER_UNAVAILABLE'],
  ])('%j from its token endpoint', async (body, given, status, code) => {
    const browser = browse()
    const callback = await atProvider(browser, await begin(browser), someone().subject)
    provider.tamper = (context) => {
      if (context.path !== '/token') return
      context.status = given
      context.body = body
    }
    expect(problem(await browser.get(callback))).toEqual([status, code])
    await expectNobody(browser)
  })
})

describe('an e-mail address', () => {
  it('that has an account opens it to nobody, verified or not', async () => {
    const owner = newcomer()
    const { token } = (
      await call(one.url, 'POST', '/v1/users', { body: owner }).then(() =>
        call(one.url, 'POST', '/v1/login', { body: owner }),
      )
    ).body as { token: string }
    for (const [email_verified, problemOfIt] of [
      [true, [409, 'EMAIL_TAKEN']],
      [false, [403, 'EMAIL_NOT_VERIFIED']],
    ] as const) {
      for (const email of [owner.email, owner.email.toUpperCase()]) {
        const browser = browse()
        const page = await logIn(browser, someone({ email, email_verified }).subject)
        expect(problem(page)).toEqual(problemOfIt)
        expect(page.text.toLowerCase()).not.toContain(owner.email)
        await expectNobody(browser)
      }
    }
    const { body } = await call(other.url, 'GET', '/v1/sessions', { token })
    expect(body.sessions).toHaveLength(1)
  })

  it.each([
    ['not verified', { email_verified: false }],
    ['not said to be verified', { email_verified: undefined }],
    ['missing', { email: undefined }],
    ['none', { email: 'not an address' }],
  ])('that is %s makes no account', async (_, account) => {
    const browser = browse()
    const { subject, email } = someone(account as ProviderAccount)
    expect(problem(await logIn(browser, subject))).toEqual([403, 'EMAIL_NOT_VERIFIED'])
    await expectNobody(browser)
    // Nobody has taken it.
    const registered = await call(one.url, 'POST', '/v1/users', { body: { ...newcomer(), email } })
    expect(registered.status).toBe(201)
  })
})

describe('the way back', () => {
  it.each([
    'https://evil.example',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n//evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    'javascript:alert(1)',
    'evil.example',
    '@evil.example',
    '',
    `/${'a'.repeat(600)}`,
  ])('%j is not taken', async (returnTo) => {
    const page = await browse().get(`${ADDRESS}/v1/login/oidc?${new URLSearchParams({ returnTo })}`)
    expect([page.status, page.headers['set-cookie']]).toEqual([422, undefined])
    expect(page.text).not.toContain('evil')
  })

  it.each([
    ['/profile?a=b&c=%2F%2Fevil.example#here', '/profile?a=b&c=%2F%2Fevil.example#here'],
    ['/a/../b', '/b'],
    ['/%2f%2fevil.example', '/%2f%2fevil.example'],
    ['/x@evil.example', '/x@evil.example'],
  ])('%j leads to %j', async (returnTo, expected) => {
    const browser = browse()
    const page = await logIn(browser, someone().subject, `?${new URLSearchParams({ returnTo })}`)
    expect(page.headers.location).toBe(expected)
    expect(new URL(page.location!).origin).toBe(ADDRESS)
  })

  it('is not led astray by Host, nor by a second returnTo', async () => {
    const browser = browse()
    const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' }
    const page = await browser.get(`${ADDRESS}/v1/login/oidc`, headers)
    expect(new URL(page.location!).searchParams.get('redirect_uri')).toBe(CALLBACK)
    const callback = await atProvider(browser, page.location!, someone().subject)
    expect((await browser.get(callback, headers)).headers.location).toBe('/')
    const twice = await browse().get(`${ADDRESS}/v1/login/oidc?returnTo=/&returnTo=//evil.example`)
    expect(twice.status).toBe(422)
  })
})

it('nothing of all this is in the log: no code, no state, no secret, and no failure of our own', async () => {
  const browser = browse()
  const url = await begin(browser)
  const callback = await atProvider(browser, url, someone().subject)
  await browser.get(changed(callback, { iss: 'https://evil.example' }))
  const secrets = [url, callback].flatMap((address) =>
    ['state', 'nonce', 'code', 'code_challenge'].flatMap(
      (name) => new URL(address).searchParams.get(name) ?? [],
    ),
  )
  expect(secrets).toHaveLength(5)
  const reasons = () => logOf(one).map((line) => line['error.type'])
  await expect.poll(reasons).toContain('LOGIN_FAILED')
  const warnings = logOf(one).filter(({ msg }) => msg === 'login answer refused')
  expect(JSON.stringify(warnings)).toContain('issuer')
  for (const copy of [one, other]) {
    for (const secret of [...secrets, provider.env.OIDC_CLIENT_SECRET!, 'canary']) {
      expect(copy.output()).not.toContain(secret)
    }
    // What failed was the provider's doing, as the tests above made it do.
    const failures = logOf(copy).filter(({ level }) => level === 'error')
    expect(failures.filter((line) => !JSON.stringify(line).includes('LOGIN_PROVIDER_'))).toEqual([])
  }
})
