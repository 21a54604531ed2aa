import { forkServer } from '../../bench/fork-server.js'
import { type Send, sendTo } from '../app.js'

/** Where in the app a request goes: a path for each kind of options, see copy.ts. */
export type Place = 'plain' | 'sealed' | 'schema' | 'lives' | 'strict'

/** What the cookies of express-session were signed with. */
export const OLD_SECRET = 'a secret of at least thirty-two characters'

/** Sessions that a user may have at a time, where the app is told of a clock. */
export const QUOTA = 2

/** A copy of the app in a process of its own. */
export interface Copy {
  readonly url: string
  readonly send: Send
  /** What its handlers have come to since the last call. */
  handled(): Promise<string[]>
  stop(): Promise<void>
}

/** Starts a process for each address of Redis. */
export function startCopies(redisUrls: readonly string[]): Promise<Copy[]> {
  return Promise.all(
    redisUrls.map(async (COPY_REDIS_URL) => {
      const { port, ask, stop } = await forkServer(new URL('./copy.ts', import.meta.url), { COPY_REDIS_URL })
      const url = `http://127.0.0.1:${port}`
      return { url, send: sendTo(url), handled: ask as () => Promise<string[]>, stop }
    }),
  )
}
