import type { KeyObject } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { keySetChannel } from '../channels.js'
import { KeysUnavailable } from '../errors.js'
import type { Algorithm } from '../verification/algorithms.js'
import { discoverJwks, fetchJwks } from './fetch-jwks.js'
import { type KeySet, pick, type VerificationKey } from './key-set.js'
import { type RemoteKeysConfig, type RemoteKeysOptions, resolveRemoteKeysOptions } from './remote-options.js'

/** The key set of a provider. */
export interface RemoteKeys extends KeySet {
  /**
   * Resolves when there are keys: await it before a process says that it is ready.
   *
   * @throws {KeysUnavailable} the provider did not answer; later requests try again by themselves
   */
  ready(): Promise<void>
}

const MAX_BACKOFF_MS = 60_000
/** Fetches for the sake of unknown names that may follow one another without a pause. */
const MAX_LOOKUPS = 3
/** Longest wait for new keys while an old one is at hand: a provider that is silent is as good as away. */
const PATIENCE_MS = 500

/**
 * The keys that a provider publishes under its `jwks_uri`. The first fetch starts at once.
 *
 * - One fetch at a time, whoever asks.
 * - Keys are renewed ahead of their age, in the background. While the provider is away, the last good set serves.
 * - An unknown `kid` makes the set be fetched, three times at once and then once in `cooldownMs`: so a provider may change its keys
 *   twice in a minute, and random ones cost it nothing.
 * - After a failure the provider is left alone for a while, longer after each. Nothing needs a restart.
 * - A provider that is away is a 503 for those whose key is not known, never a 401.
 *
 * @param url  of the key set, `https:`
 * @throws {InvalidOption} the address or an option is wrong
 */
export function remoteKeys(url: string | URL, options?: RemoteKeysOptions): RemoteKeys {
  const config = resolveRemoteKeysOptions('remoteKeys', url, options)
  return new RemoteKeySet(config, () => fetchJwks(config.url, config))
}

/**
 * The keys of an issuer, at the address that its metadata name: `/.well-known/openid-configuration`, or where there is none,
 * `/.well-known/oauth-authorization-server`. They are read before each fetch of the keys, so that the address may change.
 * Everything else is as with {@link remoteKeys}.
 *
 * @param issuer  exactly as in `iss`; metadata that name another one are refused
 * @throws {InvalidOption} the address or an option is wrong
 * @see OpenID Connect Discovery 1.0 · RFC 8414
 */
export function discoveredKeys(issuer: string, options?: RemoteKeysOptions): RemoteKeys {
  const config = resolveRemoteKeysOptions('discoveredKeys', issuer, options)
  return new RemoteKeySet(config, () => discoverJwks(issuer, config))
}

class RemoteKeySet implements RemoteKeys {
  readonly #options: RemoteKeysConfig
  readonly #fetch: () => Promise<readonly VerificationKey[]>
  readonly #clock: () => number
  #keys: readonly VerificationKey[] = []
  /** When `#keys` came. */
  #loadedAt: number = Number.NEGATIVE_INFINITY
  #flight: Promise<void> | undefined
  /** When it began, by the monotonic clock. */
  #flightAt: number = Number.NEGATIVE_INFINITY
  /** Failures since the last success, and when the provider may be asked again. */
  #failures = 0
  #failure: unknown
  #retryAt: number = Number.NEGATIVE_INFINITY
  /** Fetches that unknown names may still cause, and since when that is so. */
  #lookups = MAX_LOOKUPS
  #lookupsAt: number

  constructor(options: RemoteKeysConfig, fetch: () => Promise<readonly VerificationKey[]>) {
    this.#options = options
    this.#fetch = fetch
    this.#clock = options.clock ?? (() => performance.now())
    this.#lookupsAt = this.#clock()
    this.#refresh()
  }

  async ready(): Promise<void> {
    if (this.#usable.length === 0) await this.#refresh()
    if (this.#usable.length === 0) throw this.#unavailable()
  }

  find(
    algorithm: Algorithm,
    kid: string | undefined,
  ): KeyObject | undefined | Promise<KeyObject | undefined> {
    const { refreshAfterMs, maxAgeMs } = this.#options
    const key = pick(this.#usable, algorithm, kid)
    const ageMs = this.#clock() - this.#loadedAt
    if (key === undefined) return this.#findAnew(algorithm, kid)
    if (ageMs < refreshAfterMs) return key
    const refreshing = this.#refresh()
    // A provider that fails, or is silent, is not waited for while a key is at hand.
    const patienceMs = this.#flightAt + PATIENCE_MS - performance.now()
    if (ageMs < maxAgeMs || this.#failures > 0 || patienceMs <= 0) return key
    const patience = delay(patienceMs, undefined, { ref: false })
    return Promise.race([refreshing, patience]).then(() => pick(this.#usable, algorithm, kid))
  }

  async #findAnew(algorithm: Algorithm, kid: string | undefined): Promise<KeyObject | undefined> {
    if (this.#flight === undefined && this.#failures === 0 && !this.#mayLookUp()) return undefined
    await this.#refresh()
    const key = pick(this.#usable, algorithm, kid)
    // Without an answer nobody knows whether there is such a key.
    if (key === undefined && this.#failures > 0) throw this.#unavailable()
    return key
  }

  #mayLookUp(): boolean {
    const { cooldownMs } = this.#options
    const nowMs = this.#clock()
    const regained = cooldownMs === 0 ? MAX_LOOKUPS : Math.floor((nowMs - this.#lookupsAt) / cooldownMs)
    if (this.#lookups + regained >= MAX_LOOKUPS) {
      this.#lookups = MAX_LOOKUPS
      this.#lookupsAt = nowMs
    } else {
      this.#lookups += regained
      this.#lookupsAt += regained * cooldownMs
    }
    if (this.#lookups === 0) return false
    this.#lookups--
    return true
  }

  /** The last good set, until it is too old. */
  get #usable(): readonly VerificationKey[] {
    return this.#clock() - this.#loadedAt < this.#options.maxStaleMs ? this.#keys : []
  }

  /** Joins the fetch that is under way, or starts one, unless the provider failed a moment ago. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#flight !== undefined) return this.#flight
    if (this.#clock() < this.#retryAt) return Promise.resolve()
    this.#flightAt = performance.now()
    this.#flight = this.#load().finally(() => {
      this.#flight = undefined
    })
    return this.#flight
  }

  async #load(): Promise<void> {
    const startedAt = performance.now()
    try {
      this.#keys = keptFrom(this.#keys, await this.#fetch())
      this.#loadedAt = this.#clock()
      this.#failures = 0
      this.#failure = undefined
      this.#report('loaded', startedAt)
    } catch (error) {
      const pauseMs = Math.min(MAX_BACKOFF_MS, this.#options.backoffMs * 2 ** this.#failures)
      this.#failures++
      this.#failure = error
      // Half of it at random, so that many processes do not come back together.
      this.#retryAt = this.#clock() + pauseMs * (0.5 + Math.random() / 2)
      this.#report('failed', startedAt, error)
    }
  }

  #unavailable(): KeysUnavailable {
    return new KeysUnavailable(this.#retryAt - this.#clock(), this.#failure)
  }

  #report(outcome: 'loaded' | 'failed', startedAt: number, error?: unknown): void {
    if (!keySetChannel.hasSubscribers) return
    keySetChannel.publish({
      url: this.#options.url.origin + this.#options.url.pathname,
      outcome,
      keys: outcome === 'loaded' ? this.#keys.length : 0,
      durationMs: performance.now() - startedAt,
      error,
    })
  }
}

/** A set with those objects of an earlier one that are the same key: what they vouched for need not be verified again. */
function keptFrom(
  before: readonly VerificationKey[],
  now: readonly VerificationKey[],
): readonly VerificationKey[] {
  return now.map((one) => {
    const same = before.find(({ kid, key }) => kid === one.kid && key.equals(one.key))
    return same === undefined ? one : { ...one, key: same.key }
  })
}
