import { hash, type KeyObject } from 'node:crypto'
import { VerificationBusy } from '../errors.js'
import type { AccessTokenConfig, IssuerConfig } from '../options.js'
import { type AccessTokenClaims, refusalByContent } from './claims.js'
import { isCanonical, readHeader, readPart } from './compact.js'
import { deeplyFrozen, type Established, type Establishing, Refusal } from './established.js'
import { Remembered } from './remembered.js'
import { isSignedBy } from './signature.js'
import { turns } from './turns.js'

/** A token that can be looked at further: its form is right, and its issuer is trusted. */
interface Readable {
  readonly token: string
  readonly algorithm: IssuerConfig['algorithms'][number]
  readonly kid: string | undefined
  readonly issuer: IssuerConfig
  readonly unverified: Readonly<Record<string, unknown>>
}

/** An established token, and what vouched for it. */
interface Entry extends Established {
  readonly issuer: IssuerConfig
  readonly algorithm: Readable['algorithm']
  readonly kid: string | undefined
  readonly key: KeyObject
}

/** Signatures that are verified at once, and tokens that wait for it: Web Crypto has four threads, shared with files and names. */
const CONCURRENCY = 8
const MAX_WAITING = 1_024

/**
 * Establishes tokens: form, header, signature and claims, once for each token and process.
 *
 * What was established is remembered under the token's SHA-256, for as long as the key that vouched for it is the one that its
 * issuer has under that name. Only good tokens are remembered: forgeries, however many, push out nothing.
 *
 * @throws {KeysUnavailable} a key could not be asked for
 * @throws {VerificationBusy} too many unknown tokens at once
 */
export class Establishment implements Establishing {
  readonly #config: AccessTokenConfig
  readonly #remembered: Remembered<Entry>
  /** Tokens that are being established, by SHA-256. */
  readonly #flights = new Map<string, Promise<Established | Refusal>>()
  readonly #inTurn = turns(CONCURRENCY, MAX_WAITING, () => new VerificationBusy())

  constructor(config: AccessTokenConfig) {
    this.#config = config
    this.#remembered = new Remembered(config.maxRememberedTokens)
  }

  establish(token: string): Established | Refusal | Promise<Established | Refusal> {
    if (token.length > this.#config.maxTokenBytes) return new Refusal('too-large')
    const digest = hash('sha256', token, 'base64url')
    const entry = this.#remembered.get(digest)
    if (entry === undefined) return this.#anew(digest, token)
    const key = entry.issuer.keys.find(entry.algorithm, entry.kid)
    if (key === entry.key) return entry
    if (!(key instanceof Promise)) return this.#anew(digest, token)
    return key.then((found) => (found === entry.key ? entry : this.#anew(digest, token)))
  }

  #anew(digest: string, token: string): Refusal | Promise<Established | Refusal> {
    this.#remembered.delete(digest)
    const flight = this.#flights.get(digest)
    if (flight !== undefined) return flight
    const readable = read(this.#config, token)
    if (readable instanceof Refusal) return readable
    const started = this.#verify(digest, readable)
    this.#flights.set(digest, started)
    return started
  }

  async #verify(digest: string, readable: Readable): Promise<Established | Refusal> {
    const { token, algorithm, kid, issuer, unverified } = readable
    try {
      const key = await issuer.keys.find(algorithm, kid)
      if (key === undefined) return new Refusal('key', issuer.issuer)
      const isGood = await this.#inTurn(() => isSignedBy(token, key, algorithm))
      if (!isGood) return new Refusal('signature', issuer.issuer)
      const reason = refusalByContent(unverified, { ...issuer, type: this.#config.type })
      if (reason !== undefined) return new Refusal(reason, issuer.issuer)
      const entry = { issuer, algorithm, kid, key, claims: deeplyFrozen(unverified) as AccessTokenClaims }
      this.#remembered.set(digest, entry)
      return entry
    } finally {
      this.#flights.delete(digest)
    }
  }
}

/** Everything that can be said of a token without a key, the cheapest first. */
function read(config: AccessTokenConfig, token: string): Readable | Refusal {
  if (!isCanonical(token)) return new Refusal('malformed')
  const header = readHeader(token)
  if (typeof header === 'string') return new Refusal(header)
  if (!isAccessToken(config.type, header.typ)) return new Refusal('type')
  const unverified = readPart(token, 1)
  if (unverified === undefined) return new Refusal('malformed')
  const issuer = config.issuers.get(unverified.iss as string)
  if (issuer === undefined) return new Refusal('issuer')
  if (!issuer.algorithms.includes(header.alg)) return new Refusal('algorithm', issuer.issuer)
  return { token, algorithm: header.alg, kid: header.kid, issuer, unverified }
}

function isAccessToken(wanted: AccessTokenConfig['type'], typ: string): boolean {
  return typ === 'at+jwt' || (wanted === 'jwt' && (typ === 'jwt' || typ === ''))
}
