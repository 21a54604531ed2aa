import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { vi } from 'vitest'

/** An answer, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The text as JSON; `undefined` if it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever an app answers
  readonly body: any
}

/** A client that keeps cookies. */
export interface Client {
  readonly cookies: Map<string, string>
  (method: string, path: string, headers?: Record<string, string>, body?: unknown): Promise<Answer>
}

/** What an app's module exports. */
interface Exported {
  readonly server: Server
  readonly redis?: { disconnect?(): unknown; destroy?(): unknown }
  readonly logger?: { flush(): Promise<unknown> }
  close?(): unknown
}

/** An app that runs in this process. */
export interface App {
  readonly url: string
  client(cookies?: Map<string, string>): Client
  /** What it has written to stdout since the last call. */
  written(): Promise<string>
  close(): Promise<void>
}

/** Starts the program `src/{peer}/{file}.js`, as `node` would. */
export async function start(peer: string, file: string): Promise<App> {
  let text = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(((
    chunk: string | Uint8Array,
    ...more: unknown[]
  ) => {
    text += chunk.toString()
    const done = more.at(-1)
    if (typeof done === 'function') queueMicrotask(done as () => void)
    return true
  }) as typeof process.stdout.write)
  vi.resetModules()
  const module = (await import(`../src/${peer}/${file}.js`)) as Exported
  const { server, redis } = module
  if (!server.listening) await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    client: (cookies) => clientOf(url, cookies),
    written: async () => {
      await module.logger?.flush()
      const written = text
      text = ''
      return written
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await module.close?.()
      if (redis?.destroy !== undefined) redis.destroy()
      else redis?.disconnect?.()
      stdout.mockRestore()
    },
  }
}

/** A client of its own. */
export function clientOf(url: string, cookies: Map<string, string> = new Map()): Client {
  const send = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ): Promise<Answer> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (value === '' || /Max-Age=0/i.test(set)) cookies.delete(name)
      else cookies.set(name, value)
    }
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: parsed(text) }
  }
  return Object.assign(send, { cookies })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
