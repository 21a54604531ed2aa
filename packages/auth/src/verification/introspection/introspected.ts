import { hash } from 'node:crypto'
import type { IntrospectedConfig } from '../../options.js'
import { type AccessTokenClaims, refusalByContent } from '../claims.js'
import { deeplyFrozen, type Established, type Establishing, Refusal } from '../established.js'
import { Remembered } from '../remembered.js'

/** What was learnt of a token, until when it counts by a clock that nobody sets. */
interface Entry {
  readonly outcome: Established | Refusal
  readonly until: number
}

/**
 * Establishes tokens by asking their provider, once for each token in a while, however many ask.
 *
 * Tokens that are active are remembered apart from the others, so that forgeries, however many, push out nothing. A failure is not
 * remembered here: who asks next is told by the provider's pause.
 *
 * @throws {IntrospectionUnavailable} the provider could not be asked
 * @throws {VerificationBusy} too many unknown tokens at once
 */
export class Introspected implements Establishing {
  readonly #config: IntrospectedConfig
  readonly #maxTokenBytes: number
  readonly #active: Remembered<Entry>
  readonly #inactive: Remembered<Entry>
  readonly #flights = new Map<string, Promise<Established | Refusal>>()

  constructor(config: IntrospectedConfig, maxTokenBytes: number, maxRememberedTokens: number) {
    this.#config = config
    this.#maxTokenBytes = maxTokenBytes
    this.#active = new Remembered(maxRememberedTokens)
    this.#inactive = new Remembered(maxRememberedTokens)
  }

  establish(token: string): Established | Refusal | Promise<Established | Refusal> {
    if (token.length > this.#maxTokenBytes) return new Refusal('too-large')
    const digest = hash('sha256', token, 'base64url')
    const entry = this.#active.get(digest) ?? this.#inactive.get(digest)
    if (entry !== undefined && this.#config.introspection.clock() < entry.until) return entry.outcome
    const flight = this.#flights.get(digest)
    if (flight !== undefined) return flight
    const started = this.#ask(digest, token).finally(() => this.#flights.delete(digest))
    this.#flights.set(digest, started)
    return started
  }

  async #ask(digest: string, token: string): Promise<Established | Refusal> {
    const { introspection } = this.#config
    // By the time of the question: what is learnt may be as old as that.
    const askedAt = introspection.clock()
    const outcome = outcomeOf(await introspection.ask(token), this.#config)
    this.#active.delete(digest)
    this.#inactive.delete(digest)
    if (outcome instanceof Refusal)
      this.#inactive.set(digest, { outcome, until: askedAt + introspection.maxInactiveMs })
    else this.#active.set(digest, { outcome, until: askedAt + introspection.maxActiveMs })
    return outcome
  }
}

/** The answer is held against the same rules as the claims of a token that speaks for itself. */
function outcomeOf(
  answer: Readonly<Record<string, unknown>> | undefined,
  { issuer, audience, clientId, type }: IntrospectedConfig,
): Established | Refusal {
  if (answer === undefined) return new Refusal('inactive', issuer)
  const { active: _, token_type: tokenType, ...said } = answer
  // A refresh token is active too, and providers answer about it though they are asked for access tokens.
  if (!isAccessToken(tokenType, type)) return new Refusal('type', issuer)
  // The provider need not name itself, nor the client twice (RFC 7662 §2.2, RFC 9068 §2.2).
  const client = said.client_id === undefined ? {} : { sub: said.client_id }
  const claims = { iss: issuer, ...client, ...said }
  const reason = refusalByContent(claims, { issuer, audience, clientId, type: 'jwt' })
  if (reason !== undefined) return new Refusal(reason, issuer)
  const known = deeplyFrozen(claims) as AccessTokenClaims
  // One that is bound is told as that, or everybody could present it.
  if (`${tokenType}`.toLowerCase() === 'dpop' && known.cnf?.jkt === undefined)
    return new Refusal('claims', issuer)
  return { issuer: { issuer }, claims: known }
}

function isAccessToken(tokenType: unknown, type: IntrospectedConfig['type']): boolean {
  if (tokenType === undefined) return type === 'jwt'
  return typeof tokenType === 'string' && /^(bearer|dpop)$/i.test(tokenType)
}
