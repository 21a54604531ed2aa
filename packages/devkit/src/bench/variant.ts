import type { RequestListener, Server } from 'node:http'

/** One of the servers that a bench compares. */
export interface ServerVariant {
  /**
   * Makes what answers: called in a process of its own, with `NODE_ENV=production` and the built packages. What it needs
   * beyond types it imports itself, so that no variant runs beside the modules of another.
   */
  readonly serve: (redisUrl: string) => Promise<RequestListener | Server>
  /** Says, once the server listens, what its requests are. Default: `GET /` */
  readonly requests?: (origin: string) => RequestText | Promise<RequestText>
  /** What each answer must look like, head and body, once the server is warm. Default: status 200 */
  readonly answer?: RegExp
  /** Name of the variant that this one is measured against. Default: the first */
  readonly against?: string
  /** Answers what the bench asks by `ask`, in the process of the server: such as how much memory a thing takes. */
  readonly asked?: (question: unknown) => Promise<unknown>
}

/** The whole text of the request of this number, counted from 0. */
export type RequestText = (number: number) => string

/** One of the calls that a bench compares: it is run in a process of its own, many at a time. */
export interface CallVariant {
  /** Makes what is called, once. */
  readonly prepare: (redisUrl: string) => Promise<(number: number) => unknown>
}

/** What the module of a bench exports as `variants`, by name. */
export type Variants<Variant> = Readonly<Record<string, Variant>>
