import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestSlot } from '@scale/core'
import { refusedChannel, replayFailureChannel } from '../../channels.js'
import { InvalidProof } from '../../errors.js'
import { addressOf } from './address.js'
import { KnownKeys } from './known-keys.js'
import { type DpopOptions, resolveDpopOptions } from './options.js'
import {
  type PresentedToken,
  type ProofRefusal,
  readProof,
  refusalByTarget,
  type SignedProof,
} from './proof.js'

/** What came of looking at the proof of a request. */
export type ProofOutcome =
  /** `nonce`: the client should be given it, for its next proofs. */
  | { readonly kind: 'good'; readonly nonce: string | undefined }
  | { readonly kind: 'refused'; readonly reason: ProofRefusal; readonly nonce: string | undefined }

/** Verifies that who presents an access token has the key that it is bound to. Pass it to `accessToken`. */
export interface Dpop {
  readonly mode: 'required' | 'accepted'
  /** The algorithms of proofs, as challenges name them. */
  readonly algorithms: string
  /**
   * Looks at the proof of a request. Called by `accessToken` once the token is good; for one request its proof is looked at
   * once, however often it is asked for.
   *
   * @param thumbprint  of the key that the token is bound to
   * @throws the store's error, with `onStoreError: 'reject'`
   */
  confirm(req: IncomingMessage, token: string, thumbprint: string): Promise<ProofOutcome>
  /**
   * The key of a client that asks for tokens, by the proof that comes with its request; pass it to `issue` and `refresh` of a
   * `tokenIssuer`. A new nonce goes into the answer by itself.
   *
   * @returns its thumbprint; `undefined` if there is no proof, with `mode: 'accepted'`
   * @throws {InvalidProof} 400, with a nonce to use if it lacks one
   * @throws the store's error, with `onStoreError: 'reject'`
   */
  clientKey(req: IncomingMessage, res: ServerResponse): Promise<string | undefined>
}

/**
 * Proof of possession (DPoP): access tokens that are worth nothing to whoever steals them, because each request proves that
 * its client has a private key.
 *
 * A proof is for one method, one address and one token, is good for a short time, and can be used once, on all processes
 * together. With `nonceSecrets` it cannot be made in advance either.
 *
 * @throws {InvalidOption} an option is wrong
 * @throws {MemoryStoreRefused} there is no `redis`, and more than one process is likely
 * @see RFC 9449 · docs/concepts/tokens.md
 */
export function dpop(options?: DpopOptions): Dpop {
  const config = resolveDpopOptions(options)
  const { nonces, clock, store } = config
  const known = new KnownKeys()
  const outcomes = requestSlot<Promise<ProofOutcome>>('proof of possession')

  /** @param token  `undefined`: the request is for one */
  async function judge(
    req: IncomingMessage,
    token: PresentedToken | undefined,
  ): Promise<ProofOutcome & { thumbprint?: string }> {
    const refuse = (reason: ProofRefusal): ProofOutcome => ({
      kind: 'refused',
      reason,
      nonce: reason === 'proof-nonce' ? nonces?.current(clock()) : undefined,
    })
    const text = proofOf(req)
    if (text === undefined) return refuse('proof-missing')
    const proof = await readProof(text, config.algorithms, known)
    if (typeof proof === 'string') return refuse(proof)
    const target = { method: req.method, address: addressOf(req, config.baseUrl), token }
    const nonce = nonceOf(proof)
    const reason = refusalByTarget(proof, target) ?? refusalByTime(proof, nonce)
    if (reason !== undefined) return refuse(reason)
    if (!(await isFirstUse(proof))) return refuse('proof-replay')
    proof.remember()
    const { thumbprint } = proof
    return { kind: 'good', thumbprint, nonce: nonce === 'aging' ? nonces?.current(clock()) : undefined }
  }

  function nonceOf({ claims }: SignedProof): 'none' | 'fresh' | 'aging' | 'unusable' {
    if (nonces === undefined) return 'none'
    return claims.nonce === undefined ? 'unusable' : nonces.judge(claims.nonce, clock())
  }

  /** A nonce says when a proof was made, whatever the clock of the client says (RFC 9449 §4.3 (11)). */
  function refusalByTime(
    { claims }: SignedProof,
    nonce: ReturnType<typeof nonceOf>,
  ): ProofRefusal | undefined {
    if (nonce === 'unusable') return 'proof-nonce'
    if (nonce !== 'none') return undefined
    const ageMs = clock() - claims.iat * 1_000
    const { maxAgeMs, clockToleranceMs } = config
    return ageMs > maxAgeMs + clockToleranceMs || ageMs < -clockToleranceMs ? 'proof-age' : undefined
  }

  async function isFirstUse({ claims, thumbprint }: SignedProof): Promise<boolean> {
    const name = hash('sha256', JSON.stringify([thumbprint, claims.jti]), 'base64url')
    try {
      return await store.claim(name, config.rememberMs)
    } catch (error) {
      const decision = config.onStoreError
      if (replayFailureChannel.hasSubscribers) replayFailureChannel.publish({ decision, error })
      if (decision === 'reject') throw error
      return true
    }
  }

  return {
    mode: config.mode,
    algorithms: config.algorithms.join(' '),
    confirm: (req, token, thumbprint) => {
      // Middleware of an app and of a route: the second one is no replay.
      const known = outcomes.get(req)
      if (known !== undefined) return known
      const outcome = judge(req, { text: token, thumbprint })
      outcomes.set(req, outcome)
      return outcome
    },
    clientKey: async (req, res) => {
      if (config.mode === 'accepted' && req.headers.dpop === undefined) return undefined
      const outcome = await judge(req, undefined)
      if (outcome.kind === 'refused') {
        const { reason, nonce } = outcome
        if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, issuer: undefined })
        throw new InvalidProof(reason, undefined, nonce)
      }
      if (outcome.nonce !== undefined) res.setHeader('DPoP-Nonce', outcome.nonce)
      return outcome.thumbprint
    },
  }
}

/** The one `DPoP` header. Node joins several, and a proof has no comma. */
function proofOf({ headers }: IncomingMessage): string | undefined {
  const { dpop: proof } = headers
  return typeof proof === 'string' && !proof.includes(',') ? proof : undefined
}
