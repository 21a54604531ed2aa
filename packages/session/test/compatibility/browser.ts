import { CookieJar } from 'tough-cookie'

/** What a browser got. */
export interface Page {
  status: number
  url: string
  body: string
}

/** A client that keeps cookies and follows redirects, by hand, as a browser does. */
export class Browser {
  readonly jar: CookieJar = new CookieJar()

  async go(
    url: string,
    init: { method?: string; form?: Record<string, string>; headers?: object } = {},
  ): Promise<Page> {
    const { form, headers } = init
    let method = init.method ?? 'GET'
    let body = form === undefined ? null : new URLSearchParams(form)
    for (let hop = 0; hop < 10; hop++) {
      const response: Response = await fetch(url, {
        method,
        body,
        headers: { ...headers, cookie: await this.jar.getCookieString(url) },
        redirect: 'manual',
      })
      for (const text of response.headers.getSetCookie()) await this.jar.setCookie(text, url)
      const location: string | null = response.headers.get('location')
      if (location === null) return { status: response.status, url, body: await response.text() }
      await response.arrayBuffer()
      url = new URL(location, url).href
      method = 'GET'
      body = null
    }
    throw new Error('too many redirects')
  }
}
