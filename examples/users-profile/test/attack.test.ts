import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, newcomer, type Service, startService } from './service.js'

// Somebody who guesses passwords, from as many addresses as it takes. The proxy in front is played: it says whose request it is.

let service: Service
beforeAll(async () => {
  service = await startService({ WEB_CONCURRENCY: '1', TRUST_PROXY: '1', REGISTRATION_QUOTA: '5' })
})
afterAll(async () => {
  expect(await service.stop()).toBe(0)
})

let addresses = 0
/** An address, and a network, that nobody has come from. */
const somewhere = (): string => `10.${(++addresses >> 8) & 255}.${addresses & 255}.1`
const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } })
const guess = (email: string, address: string, path = '/v1/login'): Promise<Answer> =>
  call(service.url, 'POST', path, { body: { email, password: 'a wrong guess' }, ...from(address) })
const register = async (address = somewhere()): Promise<ReturnType<typeof newcomer>> => {
  const them = newcomer()
  const { status } = await call(service.url, 'POST', '/v1/users', { body: them, ...from(address) })
  expect(status).toBe(201)
  return them
}
const tally = (answers: Answer[]): Record<number, number> => {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** Spellings of an address that some system or other takes for the same. */
function* spellings(email: string): Generator<string> {
  const letters = [...email]
  for (let i = 0; i < 128; i++) {
    yield letters.map((letter, at) => ((i >> (at % 7)) & 1 ? letter.toUpperCase() : letter)).join('')
  }
  yield email.replaceAll('i', 'İ')
  yield email.replaceAll('i', 'ı')
  yield email.replaceAll('k', '\u212a')
  yield email.replaceAll('s', 'ſ')
  yield email.normalize('NFD')
  yield ` ${email}`
  yield `${email} `
}

describe('guesses', () => {
  it('of one account from one address end after five, however it is spelt', async () => {
    const { email } = await register()
    const address = somewhere()
    const answers: Answer[] = []
    // All at once, as an attacker would.
    for (const spelling of spellings(email)) answers.push(await guess(spelling, address))
    const { 401: wrong, 429: refused } = tally(answers)
    expect(wrong! + refused!).toBe(answers.length)
    // Spellings that are no account's at all count for themselves, and for the address.
    expect(wrong).toBeLessThanOrEqual(20)
    expect(tally(answers.slice(0, 128))).toEqual({ 401: 5, 429: 123 })
  })

  it('at both doors are counted together', async () => {
    const { email } = await register()
    const address = somewhere()
    const answers = []
    for (let i = 0; i < 10; i++) answers.push(await guess(email, address, i % 2 ? '/v1/login' : '/v1/token'))
    expect(tally(answers)).toEqual({ 401: 5, 429: 5 })
  })

  it('of many accounts from one address end after twenty', async () => {
    const address = somewhere()
    const answers = await Promise.all(Array.from({ length: 60 }, () => guess(newcomer().email, address)))
    expect(tally(answers)).toEqual({ 401: 20, 429: 40 })
  })

  it('of one account from many addresses end after a hundred, and the rest of the world logs in', async () => {
    const [victim, other] = [await register(), await register()]
    const answers = []
    for (let i = 0; i < 13; i++) {
      const some = Array.from({ length: 10 }, () => guess(victim.email, somewhere()))
      answers.push(...(await Promise.all(some)))
    }
    expect(tally(answers)).toEqual({ 401: 100, 429: 30 })
    const login = await call(service.url, 'POST', '/v1/login', { body: other, ...from(somewhere()) })
    expect(login.status).toBe(200)
  })

  it('cost nobody a login who gets it right', async () => {
    const them = await register()
    const address = somewhere()
    const answers = []
    for (let i = 0; i < 25; i++)
      answers.push(await call(service.url, 'POST', '/v1/login', { body: them, ...from(address) }))
    expect(tally(answers)).toEqual({ 200: 25 })
  })
})

it('registers five accounts a minute and address, here, whoever they are for', async () => {
  const address = somewhere()
  const answers = await Promise.all(
    Array.from({ length: 12 }, () =>
      call(service.url, 'POST', '/v1/users', { body: newcomer(), ...from(address) }),
    ),
  )
  expect(tally(answers)).toEqual({ 201: 5, 429: 7 })
  expect(
    (await call(service.url, 'POST', '/v1/users', { body: newcomer(), ...from(somewhere()) })).status,
  ).toBe(201)
})

it('tells of nobody else by their id', async () => {
  const [me, other] = [await register(), newcomer()]
  const registered = await call(service.url, 'POST', '/v1/users', { body: other, ...from(somewhere()) })
  const theirs = registered.headers.get('location')!
  const { body } = await call(service.url, 'POST', '/v1/login', { body: me, ...from(somewhere()) })
  const token = String(body.token)
  const mine = `/v1/users/${(body.user as { id: string }).id}`
  expect((await call(service.url, 'GET', mine, { token })).body).toMatchObject({ email: me.email })
  const nobodys = '/v1/users/00000000-0000-4000-8000-000000000000'
  const answers = await Promise.all(
    [theirs, nobodys].map((path) => call(service.url, 'GET', path, { token })),
  )
  const [known, unknown] = answers.map(({ status, body: { instance, requestId, traceId, ...rest } }) => ({
    status,
    rest,
  }))
  expect(known).toEqual(unknown)
  expect(known!.status).toBe(404)
  expect((await call(service.url, 'GET', mine)).status).toBe(401)
})

describe('a request that another site makes a browser send', () => {
  const them = newcomer()
  const post = (headers: Record<string, string>): Promise<number> =>
    call(service.url, 'POST', '/v1/login', { body: them, headers }).then(({ status }) => status)
  const host = { Host: 'users.example' }

  it.each([
    ['Fetch Metadata of another site', { ...host, 'Sec-Fetch-Site': 'cross-site' }],
    ['of a sibling subdomain', { ...host, 'Sec-Fetch-Site': 'same-site' }],
    ['an older browser', { ...host, Origin: 'https://evil.example' }],
    ['a page without an origin', { ...host, Origin: 'null' }],
    ['another port', { ...host, Origin: 'https://users.example:8443' }],
    ['a longer name', { ...host, Origin: 'https://users.example.evil.example' }],
  ])('is refused: %s', async (_, headers) => {
    expect(await post(headers)).toBe(403)
  })

  it.each([
    ['the page itself', { ...host, 'Sec-Fetch-Site': 'same-origin', Origin: 'https://users.example' }],
    ['the page in an older browser', { ...host, Origin: 'https://users.example' }],
    ['no browser', host],
  ])('and passes from %s', async (_, headers) => {
    expect(await post({ ...headers, 'X-Forwarded-For': somewhere() })).toBe(401)
  })
})

describe('a form without script', () => {
  const them = newcomer()
  const submit = (path: string, fields: Record<string, string>, cookie = ''): Promise<Response> =>
    fetch(service.url + path, {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
      headers: { 'Sec-Fetch-Site': 'same-origin', 'X-Forwarded-For': somewhere(), Cookie: cookie },
    })

  it('registers, logs in and out, and leads back to the page', async () => {
    const registered = await submit('/v1/users', them)
    const { email, password } = them
    const entered = await submit('/v1/login', { email, password, action: 'login' })
    const [cookie] = entered.headers.getSetCookie()
    const session = cookie!.split(';')[0]!
    const left = await submit('/v1/logout', {}, session)
    for (const answer of [registered, entered, left]) {
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    }
    expect(await entered.text()).not.toContain(password)
    expect((await fetch(`${service.url}/v1/profile`, { headers: { Cookie: session } })).status).toBe(401)
  })

  it('posts, and never gets: what is typed does not come into an address', async () => {
    const page = await (await fetch(service.url)).text()
    expect(page).toMatch(/<form id="credentials" method="post" action="\/v1\/login">/)
  })
})

it('lets a page over http load its script and style', async () => {
  const { headers } = await fetch(service.url)
  expect(headers.get('content-security-policy')).toContain("script-src 'self'")
  expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests')
  expect(headers.get('strict-transport-security')).toBeNull()
})
