import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import {
  type AddressedRequest,
  clientAddress,
  InvalidOption,
  type RoutedRequest,
  routeTemplate,
} from '@scale/core'
import { keyPart } from '@scale/redis'
import { Memo } from './memo.js'

/**
 * Who is counted: one name, or a list of parts that can never be mistaken for another list. Parts may come from a
 * client: they are escaped, and hashed when long.
 */
export type PartitionKey = string | readonly string[]

/**
 * Says who is counted for a request.
 *
 * `undefined` means that nobody is known by that name, such as a visitor without a session: then the address is
 * counted. `false` means that the policy does not concern this request.
 */
export type PartitionKeyOf<Request> = (req: Request) => PartitionKey | false | undefined

/** A request as Express gives it, as far as it is looked at here. */
export type LimitedRequest = IncomingMessage &
  AddressedRequest & {
    readonly baseUrl?: string
    readonly route?: unknown
    readonly app?: unknown
  }

/**
 * Counts by network address: IPv4 by itself, IPv6 by its prefix. Obeys Express' `trust proxy`; a port that a proxy wrote along is
 * no part of the address. Requests whose address cannot be read (a Unix socket, a name) are counted together, with one warning.
 *
 * @param options.ipv6Prefix  bits of an IPv6 address that name one subscriber, 1–128. Default 56
 */
export function byAddress(
  options: { ipv6Prefix?: number } = {},
): (req: AddressedRequest) => readonly string[] {
  const memo = new Memo<EscapedParts>(10_000)
  return known((req) => {
    const text = req.ip ?? req.socket?.remoteAddress ?? ''
    return memo.get(text) ?? memo.set(text, escapedParts(address(text, options)))
  })
}

/**
 * The partition of one network address, as `byAddress` counts it: for `consume`, `peek`, `reset` and `penalty`.
 *
 * @param text  IPv4 or IPv6, with or without a port
 * @param options.ipv6Prefix  as for `byAddress`
 */
export function address(text: string, options: { ipv6Prefix?: number } = {}): readonly [string, string] {
  const group = clientAddress({ ip: text }, options)?.group
  if (group === undefined) warnOfUnreadable(text)
  return ['ip', group ?? 'unknown']
}

let isWarned = false

/** Its shape and never its value: digits as 9, letters as a. */
function warnOfUnreadable(text: string): void {
  if (isWarned) return
  isWarned = true
  const shape = text.slice(0, 40).replace(/\d/g, '9').replace(/[a-z]/gi, 'a')
  const seen =
    text === ''
      ? 'There is no client address (a Unix socket?)'
      : `No client address can be read from «${shape}»`
  process.emitWarning(
    `${seen}: such requests are counted together, under one quota. Set Express' \`trust proxy\` so that \`req.ip\` is an address, or give \`partitionKey\`.`,
    { code: 'SCALE_RATE_LIMIT_ADDRESS' },
  )
}

const escaped: unique symbol = Symbol('escaped')

/** A partition that knows how it is written in a key. */
interface EscapedParts extends ReadonlyArray<string> {
  readonly [escaped]?: string
}

function escapedParts(parts: readonly string[]): EscapedParts {
  return Object.assign(parts, { [escaped]: escapeParts(parts) })
}

function escapeParts(parts: readonly string[]): string {
  // An empty list would be an empty hash tag, which is none: in a Cluster its policies would lie on different nodes.
  if (!Array.isArray(parts) || parts.length === 0 || parts.some((part) => typeof part !== 'string')) {
    throw wrongPartition(parts)
  }
  return parts.map(keyPart).join(':')
}

function wrongPartition(partition: unknown): InvalidOption {
  const isPromise = typeof (partition as Partial<Promise<unknown>> | null)?.then === 'function'
  const what = isPromise
    ? 'a promise'
    : Array.isArray(partition)
      ? 'this list'
      : `of type ${typeof partition}`
  return new InvalidOption(
    `rateLimit: a partition must be a string or a list of one or more strings, not ${what}; false if the policy does not ` +
      'concern the request.',
  )
}

/**
 * A partition as it stands in a key: two different ones never look the same, and no brace or colon is the client's.
 *
 * @throws {InvalidOption} it is neither a string nor a list of strings
 */
export function escapePartition(partition: PartitionKey): string {
  if (typeof partition === 'string') return keyPart(partition)
  return (partition as EscapedParts | undefined)?.[escaped] ?? escapeParts(partition)
}

/**
 * Counts by the secret in a header, such as an API key. The key in the store is its SHA-256, never the secret itself;
 * a request without the header is counted by address.
 *
 * @param name  of the header
 */
export function byHeader(name: string): (req: IncomingMessage) => readonly string[] | undefined {
  const field = name.toLowerCase()
  return known((req) => {
    const value = req.headers[field]
    if (value === undefined || value.length === 0) return undefined
    return ['header', createHash('sha256').update(String(value)).digest('base64url')]
  })
}

/**
 * Counts each route by itself, within who is counted. By the template of the route through all routers, never by the URL: a
 * client cannot make up new ones by capitals, parameters of a mount or HEAD, which counts as GET. Before a route is found, such as
 * in `app.use`, there is one for all.
 *
 * @param within  who is counted. Default: by address
 */
export function byRoute<Request extends LimitedRequest>(
  within: PartitionKeyOf<Request> = byAddress(),
): PartitionKeyOf<Request> {
  return (req) => {
    const who = within(req)
    if (who === false || who === undefined) return who
    const { method = '' } = req
    const route = routeTemplate(req as RoutedRequest) ?? ''
    return [method === 'HEAD' ? 'GET' : method, route, ...(typeof who === 'string' ? [who] : who)]
  }
}

/** Those that read only what the client sent: their answer is the same before any other middleware has run. */
const early = new WeakSet<object>()

function known<Reader extends object>(partitionKey: Reader): Reader {
  early.add(partitionKey)
  return partitionKey
}

/** Whether a partition is known before any other middleware has run. */
export function isKnownEarly(partitionKey: object): boolean {
  return early.has(partitionKey)
}
