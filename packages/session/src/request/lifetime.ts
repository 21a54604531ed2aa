import { SessionMisuse } from '../errors.js'
import { type SessionConfig, timeoutMs } from '../options.js'
import type { LoginOptions } from '../session.js'
import type { SessionWrite } from '../store.js'

/** How long a session lasts. */
type Lifetime = Required<Pick<LoginOptions, 'idleTimeoutMs' | 'absoluteTimeoutMs'>> & {
  persistent: boolean | undefined
}

/** What `cookie.maxAge` was set to; null: the cookie goes with the browser. */
export interface ToldLifetime {
  readonly maxAgeMs: number | null
}

/** Of a session that begins. @throws {SessionMisuse} an option is wrong */
export function lifetimeOf(
  config: SessionConfig,
  options: LoginOptions,
  told: ToldLifetime | undefined,
): Lifetime {
  const given = { ...optionsOf(config, told), ...options }
  const { absoluteTimeoutMs = config.absoluteTimeoutMs, persistent } = given
  const { idleTimeoutMs = Math.min(config.idleTimeoutMs, absoluteTimeoutMs) } = given
  for (const [name, value] of Object.entries({ idleTimeoutMs, absoluteTimeoutMs })) {
    const wanted = timeoutMs(value)
    if (wanted !== undefined) throw new SessionMisuse(`login: \`${name}\` must be ${wanted}.`)
  }
  return { idleTimeoutMs, absoluteTimeoutMs, persistent }
}

/** Of a session that is stored already, from now on. */
export function toldLifetime(
  config: SessionConfig,
  told: ToldLifetime,
  idleTimeoutMs: number,
): SessionWrite['lifetime'] {
  return told.maxAgeMs === null ? { idleTimeoutMs, persistent: false } : lifetimeOf(config, {}, told)
}

function optionsOf({ absoluteTimeoutMs }: SessionConfig, told: ToldLifetime | undefined): LoginOptions {
  if (told === undefined) return {}
  const { maxAgeMs } = told
  if (maxAgeMs === null) return { persistent: false }
  const longest = Math.max(maxAgeMs, absoluteTimeoutMs)
  return { persistent: true, idleTimeoutMs: maxAgeMs, absoluteTimeoutMs: longest }
}
