import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { CookieJar } from 'tough-cookie'

/** A page, or where another one is. */
export interface Page {
  status: number
  headers: IncomingMessage['headers']
  text: string
  /** Absolute; `undefined` if this is no redirect. */
  location: string | undefined
}

let browsers = 0

/**
 * A browser without scripts: cookies, forms, and redirects one at a time. It reaches the service under the one address
 * that the world knows, through a load balancer that the test steers.
 */
export class TestBrowser {
  readonly jar: CookieJar
  readonly #address: string
  /** As the load balancer tells it to the service: each browser has its own. */
  readonly clientAddress: string = `10.0.${browsers >> 8}.${browsers++ & 255}`
  /** Which copy gets the next request. */
  copy: string

  constructor(address: string, copy: string, jar: CookieJar = new CookieJar()) {
    this.#address = address
    this.copy = copy
    this.jar = jar
  }

  get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#send('GET', url, headers)
  }

  post(url: string, form: Record<string, string>): Promise<Page> {
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    return this.#send('POST', url, type, new URLSearchParams(form).toString())
  }

  /** Sends JSON as the page of the service does. */
  json(method: string, path: string, body?: unknown): Promise<Page> {
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
    return this.#send(
      method,
      this.#address + path,
      type,
      body === undefined ? undefined : JSON.stringify(body),
    )
  }

  async #send(method: string, url: string, headers: Record<string, string>, body?: string): Promise<Page> {
    const absolute = new URL(url, this.#address).href
    const reached = absolute.startsWith(`${this.#address}/`)
      ? this.copy + absolute.slice(this.#address.length)
      : absolute
    const cookie = await this.jar.getCookieString(absolute)
    const sent = request(reached, {
      method,
      headers: {
        Connection: 'close',
        'X-Forwarded-For': this.clientAddress,
        'X-Forwarded-Proto': 'https',
        ...(cookie === '' ? {} : { Cookie: cookie }),
        ...headers,
      },
    }).end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    for (const line of response.headers['set-cookie'] ?? []) await this.jar.setCookie(line, absolute)
    const { location } = response.headers
    return {
      status: response.statusCode!,
      headers: response.headers,
      text: await text(response),
      location: location === undefined ? undefined : new URL(location, absolute).href,
    }
  }
}

/** Goes through the pages of the provider, and stops before it follows the way back. */
export async function logInAtProvider(
  browser: TestBrowser,
  url: string,
  account: string,
  stopBefore: string,
): Promise<string> {
  let page = await browser.get(url)
  let at = url
  for (let step = 0; step < 12; step++) {
    if (page.location !== undefined) {
      if (page.location.startsWith(stopBefore)) return page.location
      at = page.location
      page = await browser.get(at)
      continue
    }
    const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1]
    const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1]
    if (action === undefined || prompt === undefined)
      throw new Error(`The provider answered ${page.status}: ${page.text.slice(0, 500)}`)
    at = new URL(action, at).href
    page = await browser.post(
      at,
      prompt === 'login' ? { prompt, login: account, password: 'any' } : { prompt },
    )
  }
  throw new Error('The provider leads nowhere.')
}
