import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { clientAddress, InvalidOption, type RoutedRequest, routeTemplate } from '@scale/core'
import { keyPart } from '@scale/redis'
import { Memo } from './memo.js'
import { warnOnce } from './warnings.js'

/**
 * Who is counted: one of {@link address}, {@link user}, {@link apiKey}, {@link route} or {@link partition}. What a call names is what
 * requests are counted under only if both come from the same function.
 */
export class Partition {
  /** As it stands in a key: two different partitions never look the same, and no brace or colon is the client's. */
  readonly text: string

  /** @param parts  what it is, and which. Parts may come from a client: they are escaped, and hashed when long */
  constructor(parts: readonly string[]) {
    this.text = parts.map(keyPart).join(':')
  }
}

/** One partition, or several that together say who is counted, such as a route and an address. */
export type Partitions = Partition | readonly Partition[]

/**
 * Says who is counted for a request.
 *
 * `undefined` means that nobody is known by that name, such as a visitor without a session: then the address is
 * counted. `false` means that the policy does not concern this request.
 */
export type PartitionKeyOf<Request> = (
  req: Request,
) => Partitions | false | undefined | Promise<Partitions | false | undefined>

/** A request as Express gives it, or one for an upgrade as Node does, as far as it is looked at here. */
export type LimitedRequest = IncomingMessage & {
  ip?: string | undefined
  readonly baseUrl?: string
  readonly route?: unknown
  readonly app?: unknown
}

/** What an address is read from. */
export interface Addressed {
  /** As Express has it, by the app's `trust proxy`. */
  readonly ip?: string | undefined
  readonly socket?: Partial<Pick<IncomingMessage['socket'], 'remoteAddress' | 'localAddress' | 'destroyed'>>
  readonly headers?: IncomingMessage['headers']
}

/** An address that nobody can read: what becomes of it says the option `onUnknownAddress`. */
export const UNKNOWN_ADDRESS: Partition = new Partition(['ip', 'unknown'])

/** The address of a client that has hung up before anybody looked: it waits for no answer. */
export const GONE: Partition = new Partition(['ip', 'gone'])

const HOME_PREFIX = 56
const homes = new Memo<Partition>(10_000)

/**
 * A network address: IPv4 by itself, IPv6 by its prefix; a port that a proxy wrote along is no part of it. As `partitionKey` it is the
 * default.
 *
 * @param of  a request: `req.ip`, which obeys Express' `trust proxy`, else its socket's; or the address itself
 * @param options.ipv6Prefix  bits of an IPv6 address that name one subscriber, 1–128. Default 56
 * @param options.trust  for a request that Express has not seen, such as an upgrade: which hops of `X-Forwarded-For` are believed, as
 *   `app.get('trust proxy fn')` says. Default: none
 */
export function address(
  of: Addressed | string,
  options: { ipv6Prefix?: number; trust?: (address: string, hop: number) => boolean } = {},
): Partition {
  const text = typeof of === 'string' ? of : addressOf(of, options.trust)
  if (text === undefined) return isGone(of as Addressed) ? GONE : unknown('')
  const { ipv6Prefix = HOME_PREFIX } = options
  if (ipv6Prefix !== HOME_PREFIX) return partitionOf(text, ipv6Prefix)
  return homes.get(text) ?? homes.set(text, partitionOf(text, HOME_PREFIX))
}

function addressOf(
  { ip, socket, headers }: Addressed,
  trust?: (address: string, hop: number) => boolean,
): string | undefined {
  const nearest = ip ?? socket?.remoteAddress
  if (ip !== undefined || nearest === undefined || trust === undefined) return nearest
  const named = String(headers?.['x-forwarded-for'] ?? '').split(',')
  const hops = [
    nearest,
    ...named
      .map((hop) => hop.trim())
      .filter((hop) => hop !== '')
      .reverse(),
  ]
  return hops.find((hop, index) => index === hops.length - 1 || !trust(hop, index))
}

function partitionOf(text: string, ipv6Prefix: number): Partition {
  const group = clientAddress({ ip: text }, { ipv6Prefix })?.group
  return group === undefined ? unknown(text) : new Partition(['ip', group])
}

/** A connection that was reset has an own end and no other; a Unix socket has neither. */
function isGone({ socket }: Addressed): boolean {
  return socket?.destroyed === true || socket?.localAddress !== undefined
}

function unknown(text: string): Partition {
  // Its shape and never its value: digits as 9, letters as a.
  const shape = text.slice(0, 40).replace(/\d/g, '9').replace(/[a-z]/gi, 'a')
  const seen =
    text === ''
      ? 'There is no client address (a Unix socket?)'
      : `No client address can be read from «${shape}»`
  warnOnce(
    'SCALE_RATE_LIMIT_ADDRESS',
    `${seen}. Set Express' \`trust proxy\` so that \`req.ip\` is an address, or give \`partitionKey\`; what becomes of such ` +
      'requests meanwhile says the option `onUnknownAddress`.',
  )
  return UNKNOWN_ADDRESS
}

/**
 * A user that has logged in.
 *
 * @param id  as it was verified: whoever may choose it chooses a quota
 */
export function user(id: string): Partition {
  return new Partition(['user', nonEmpty('user', id)])
}

/**
 * An API key. In the store stands its SHA-256, never the key itself.
 *
 * @param key.verified  a key that was looked up and found: a header as it came lets a client make up quotas as it likes
 */
export function apiKey(key: { verified: string }): Partition {
  const verified = nonEmpty('apiKey', key?.verified)
  return new Partition(['api-key', createHash('sha256').update(verified).digest('base64url')])
}

/**
 * A route: its method and its template through all routers, never the URL, so that a client cannot make up new ones by capitals,
 * parameters of a mount or HEAD, which counts as GET. Before a route is found, such as in `app.use`, there is one for all.
 *
 * @example partitionKey: (req) => [route(req), address(req)]
 */
export function route(req: Pick<IncomingMessage, 'method'>): Partition {
  const { method = '' } = req
  return new Partition([
    'route',
    method === 'HEAD' ? 'GET' : method,
    routeTemplate(req as RoutedRequest) ?? '',
  ])
}

/** Kinds that have a function of their own. */
const OWN_KINDS = new Set(['ip', 'user', 'api-key', 'route'])

/**
 * Anything else that is counted, such as a tenant or the account of a login.
 *
 * @param kind   what it is: 1–32 lower-case letters, digits and hyphens, a letter first
 * @param value  which one; may come from a client if the quota is meant for the value itself, and not for who sends it
 */
export function partition(kind: string, value: string): Partition {
  if (typeof kind !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(kind) || OWN_KINDS.has(kind)) {
    throw new InvalidOption(
      'rateLimit: the kind of a partition must be 1 to 32 lower-case letters, digits and hyphens, and not one that has a function of its own.',
    )
  }
  return new Partition([kind, nonEmpty(kind, value)])
}

function nonEmpty(kind: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  const what = value === '' ? 'an empty one' : `of type ${typeof value}`
  throw new InvalidOption(
    `rateLimit: a partition of kind \`${kind}\` must be named by a string, not ${what}.`,
  )
}

/** @throws {InvalidOption} something else */
export function assertPartitions(given: unknown): readonly Partition[] {
  const all: readonly unknown[] = Array.isArray(given) ? given : [given]
  // An empty list would be an empty hash tag, which is none: in a Cluster its policies would lie on different nodes.
  if (all.length > 0 && all.every((one) => one instanceof Partition)) return all as readonly Partition[]
  const what = Array.isArray(given) ? 'this list' : `what is of type ${typeof given}`
  throw new InvalidOption(
    'rateLimit: who is counted must be said by `address`, `user`, `apiKey`, `route` or `partition`, or by a list of these, not by ' +
      `${what}; false if the policy does not concern the request.`,
  )
}

/** Whether a partition is known before any other middleware has run, because it is what the client sent. */
export function isKnownEarly(partitionKey: object): boolean {
  return partitionKey === address
}
