import type { ServerResponse } from 'node:http'
import { boolean, InvalidOption, oneOf, resolveOptions } from '@scale/core'
import type { Transport } from './transport.js'

/** Options of `cookie`. */
export interface CookieOptions {
  /**
   * Name of the cookie. Default: `__Host-session`; `__Secure-session` if there is a `domain` or another `path`;
   * `session` if it is not `secure`
   */
  name?: string
  /** Sends the cookie to subdomains as well. Default none: only the host that set it */
  domain?: string
  /** Sends the cookie only below this path. Default `/` */
  path?: string
  /** Default `lax` */
  sameSite?: 'strict' | 'lax' | 'none'
  /** Browsers send it only over TLS, or to localhost. Default true */
  secure?: boolean
  /** Outlives the browser: has a `Max-Age` up to the session's absolute end. Default false */
  persistent?: boolean
  /** One jar for each top-level site that embeds the app. Default false */
  partitioned?: boolean
}

/** The defaults of {@link CookieOptions}. */
export const cookieDefaults: Readonly<Required<Omit<CookieOptions, 'name' | 'domain'>>> = Object.freeze({
  path: '/',
  sameSite: 'lax',
  secure: true,
  persistent: false,
  partitioned: false,
})

const checks = {
  name: (value: unknown) =>
    typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]{1,128}$/.test(value)
      ? undefined
      : 'a cookie name of 1 to 128 characters',
  domain: (value: unknown) =>
    typeof value === 'string' && /^[A-Za-z0-9.-]{1,253}$/.test(value) ? undefined : 'a host name',
  path: (value: unknown) =>
    typeof value === 'string' && /^\/[\x21-\x3a\x3c-\x7e]{0,255}$/.test(value)
      ? undefined
      : 'a path that starts with a slash',
  sameSite: oneOf('strict', 'lax', 'none'),
  secure: boolean,
  persistent: boolean,
  partitioned: boolean,
}

/**
 * The token in a cookie: `__Host-session`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, no `Domain`.
 *
 * @throws {InvalidOption} a name's prefix promises what the other options break; `SameSite=None` without `Secure`
 * @see RFC 6265bis §4.1.3, §5.7
 */
export function cookie(options?: CookieOptions): Transport {
  const resolved = resolveOptions('cookie', options, { checks, defaults: cookieDefaults })
  const name = resolved.name ?? defaultName(resolved)
  refuseBrokenPromises(name, resolved)
  const attributes = attributesOf(resolved)
  return {
    read: ({ cookie: header }) => (header === undefined ? [] : readCookie(header, name)),
    issue: (res, token, remainingMs, persistent = resolved.persistent) => {
      const age = persistent ? `; Max-Age=${Math.max(1, Math.floor(remainingMs / 1_000))}` : ''
      if (resolved.secure) warnIfInsecure(res)
      setCookie(res, name, `${name}=${token}${age}${attributes}`)
    },
    clear: (res) => setCookie(res, name, `${name}=; Max-Age=0${attributes}`),
    security: { scheme: 'cookie', name },
    attributes: {
      path: resolved.path,
      domain: resolved.domain,
      httpOnly: true,
      secure: resolved.secure,
      sameSite: resolved.sameSite,
      partitioned: resolved.partitioned,
    },
  }
}

type Attributes = Pick<CookieOptions, 'name' | 'domain'> & Required<Omit<CookieOptions, 'name' | 'domain'>>

function defaultName({ secure, domain, path }: Attributes): string {
  if (!secure) return 'session'
  return domain === undefined && path === '/' ? '__Host-session' : '__Secure-session'
}

function refuseBrokenPromises(
  name: string,
  { secure, domain, path, sameSite, partitioned }: Attributes,
): void {
  const problem =
    /^__(?:host|secure)-/i.test(name) && !secure
      ? 'a name that starts with `__Host-` or `__Secure-` needs `secure: true`'
      : /^__host-/i.test(name) && (domain !== undefined || path !== '/')
        ? 'a name that starts with `__Host-` allows no `domain` and no `path` but `/`'
        : (sameSite === 'none' || partitioned) && !secure
          ? "`sameSite: 'none'` and `partitioned` need `secure: true`"
          : undefined
  if (problem !== undefined) throw new InvalidOption(`cookie: ${problem}; browsers drop such a cookie.`)
}

function attributesOf({ domain, path, sameSite, secure, partitioned }: Attributes): string {
  return [
    '',
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    'HttpOnly',
    ...(secure ? ['Secure'] : []),
    `SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`,
    ...(partitioned ? ['Partitioned'] : []),
  ].join('; ')
}

/** Longest Cookie header that is looked at; Node's own limit for all headers together is 16 kB. */
const MAX_HEADER = 65_536

/** The values of every cookie with this name, as they stand: a token needs no decoding. */
export function readCookie(header: string, name: string): string[] {
  const values: string[] = []
  if (header.length > MAX_HEADER) return values
  const wanted = `${name}=`
  for (let at = header.indexOf(wanted); at !== -1; at = header.indexOf(wanted, at + 1)) {
    if (!startsCookie(header, at)) continue
    const end = header.indexOf(';', at)
    values.push(header.slice(at + wanted.length, end === -1 ? undefined : end).trim())
  }
  return values
}

function startsCookie(header: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && (header[before] === ' ' || header[before] === '\t')) before--
  return before < 0 || header[before] === ';'
}

/** Replaces what this response already says about the cookie, and keeps the response out of caches. */
function setCookie(res: ServerResponse, name: string, text: string): void {
  const present = res.getHeader('Set-Cookie')
  const others = (Array.isArray(present) ? present : present === undefined ? [] : [String(present)]).filter(
    (other) => !other.startsWith(`${name}=`),
  )
  res.setHeader('Set-Cookie', [...others, text])
  res.setHeader('Cache-Control', 'no-store')
}

let warned = false

/**
 * A browser that came over plain http drops a Secure cookie without a word, unless it came to localhost. A proxy that
 * ended TLS and says so is believed here, whatever `trust proxy` is: this is only a warning.
 */
function warnIfInsecure(res: ServerResponse): void {
  if (warned) return
  const { req } = res
  const isTls = (req as { secure?: boolean }).secure ?? (req.socket as { encrypted?: boolean }).encrypted
  const forwarded = `${req.headers['x-forwarded-proto'] ?? ''} ${req.headers.forwarded ?? ''}`
  if (isTls === true || /https/i.test(forwarded) || isLocal(req.headers.host)) return
  warned = true
  process.emitWarning(
    'A session cookie with `Secure` was set on a request that came over plain http: the browser drops it, and ' +
      'the login seems to do nothing. Serve over https (if a proxy ends TLS, let it send `X-Forwarded-Proto: https`), ' +
      'or use `transport: cookie({ secure: false })` where that is meant.',
    { code: 'SCALE_SESSION_INSECURE' },
  )
}

function isLocal(host: string | undefined): boolean {
  return (
    host === undefined || /^(?:localhost|[\w.-]+\.localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/i.test(host)
  )
}
