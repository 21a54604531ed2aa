import { openBrowser } from '@scale/devkit/browser'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { newcomer, type Service, startService } from '../../users-profile/test/service.js'

let browser: Awaited<ReturnType<typeof openBrowser>>
let service: Service

beforeAll(async () => {
  ;[browser, service] = await Promise.all([openBrowser(), startService({ WEB_CONCURRENCY: '2' })])
}, 300_000)
afterAll(async () => {
  await browser.close()
  await service.stop()
})

/** The machine may be busy with other suites. */
const eventually = (read: () => Promise<string | null>) => expect.poll(read, { timeout: 20_000 })

it('lets a person register, log in, load the profile, see the cache hit and the quota run down, and log out', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  // `localhost`, where Chromium keeps Secure cookies without TLS.
  const url = service.url.replace('127.0.0.1', 'localhost')
  await page.goto(url)

  const me = newcomer()
  await page.getByLabel('E-mail').fill(me.email)
  await page.getByLabel('Password').fill(me.password)
  const output = page.getByRole('status')
  await page.getByRole('button', { name: 'Register' }).click()
  await eventually(() => output.textContent()).toMatch(/^201/)
  await page.getByRole('button', { name: 'Log in' }).click()
  await eventually(() => output.textContent()).toMatch(/^200/)

  // Over http, as here, it has no prefix and is not Secure: Safari would drop it. No script can read it.
  const [cookie] = await context.cookies(url)
  expect(cookie).toMatchObject({
    name: 'session',
    path: '/',
    secure: false,
    httpOnly: true,
    sameSite: 'Lax',
  })
  expect(await page.evaluate('document.cookie')).toBe('')

  const load = page.getByRole('button', { name: 'Load the profile' })
  await load.click()
  await eventually(() => page.locator('#quota-text').textContent()).toBe('9 of 10')
  expect(await output.textContent()).toContain(me.email)
  await load.click()
  await eventually(() => page.locator('#quota-text').textContent()).toBe('8 of 10')
  expect(await page.locator('#cache').textContent()).toMatch(/; hit/)

  await page.getByRole('button', { name: 'Log out' }).click()
  await eventually(() => output.textContent()).toMatch(/^204/)
  expect(await context.cookies(url)).toEqual([])
  await load.click()
  await eventually(() => output.textContent()).toMatch(/^401/)

  await page.getByRole('button', { name: 'Forgot it' }).click()
  await eventually(() => output.textContent()).toMatch(/^204/)
  const { mails } = (await (await fetch(`${url}/v1/outbox`)).json()) as {
    mails: { recipient: string; body: string }[]
  }
  const { body } = mails.find(({ recipient, body }) => recipient === me.email && body.includes('#reset='))!
  // A link in a mail opens a page anew.
  const another = await context.newPage()
  another.on('pageerror', (error) => problems.push(String(error)))
  await another.goto(url + /\/#reset=.*/.exec(body)![0])
  await another.getByLabel('Your next one').fill('another battery')
  await another.getByRole('button', { name: 'Set it' }).click()
  await eventually(() => another.getByRole('status').textContent()).toMatch(/^204/)
  // What the link carried has left the address.
  expect(another.url()).toBe(`${url}/`)
  await page.getByLabel('Password').fill('another battery')
  await page.getByRole('button', { name: 'Log in' }).click()
  await eventually(() => output.textContent()).toMatch(/^200/)
  expect(problems).toEqual([])
}, 60_000)
