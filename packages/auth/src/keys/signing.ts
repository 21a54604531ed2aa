import { createPrivateKey, hash, type KeyObject } from 'node:crypto'
import {
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionChecks,
  resolveOptions,
  string,
} from '@scale/core'
import { AuthMisuse } from '../errors.js'
import { type Algorithm, isSymmetric } from '../verification/algorithms.js'
import { type Jwk, type Jwks, type KeySet, pick, type VerificationKey, verificationKey } from './key-set.js'

/** A private key, and from when on it signs. */
export interface SigningKeyOptions {
  /** PKCS#8 in PEM, or a private JWK as an object or as JSON. Ed25519, P-256, P-384, P-521, or RSA from 2,048 bits. */
  key: string | Jwk
  /** Its name in tokens and in the published set. Default: the `kid` of a JWK, else the thumbprint (RFC 7638) */
  kid?: string
  /** From when on it signs, in epoch ms; until then it is only published. Default 0 */
  activeAt?: number
}

/** The defaults of {@link SigningKeyOptions}. */
export const signingKeyDefaults: Readonly<{ activeAt: number }> = Object.freeze({ activeAt: 0 })

/** What `signingKeys` takes beside the keys. */
export interface SigningKeysOptions {
  /**
   * How long a key stays published after its successor began to sign, in ms: as long as its last token lives, and a
   * little more. Default 3,600,000 (1 h)
   */
  retireAfterMs?: number
  /** For tests: the time, in ms. Default `Date.now` */
  clock?: () => number
}

/** The defaults of {@link SigningKeysOptions}. */
export const signingKeysDefaults: Readonly<{ retireAfterMs: number }> = Object.freeze({
  retireAfterMs: 3_600_000,
})

/** The keys of an issuer: they sign its tokens, verify them, and are published. */
export interface SigningKeys extends KeySet {
  readonly algorithms: readonly Algorithm[]
  /** How long a key is published after its successor began to sign, in ms. No token may live longer. */
  readonly retireAfterMs: number
  /** The key that signs now. @throws {AuthMisuse} none does yet */
  current(): SigningKey
  /** The public parts of all keys that sign, will sign, or signed tokens that may still live. */
  jwks(): Jwks
}

/** A key that signs. */
export interface SigningKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
}

interface ScheduledKey extends SigningKey {
  readonly activeAt: number
  readonly jwk: Jwk
  readonly verification: VerificationKey
}

const keyChecks: OptionChecks<SigningKeyOptions> = {
  key: (value) =>
    typeof value === 'string' || (typeof value === 'object' && value !== null)
      ? undefined
      : 'a PEM text or a JWK',
  kid: string(1, 256),
  activeAt: integer(0),
}

const checks: OptionChecks<SigningKeysOptions> = {
  retireAfterMs: durationMs(1_000, 2_592_000_000),
  clock: func,
}

/**
 * The keys that an app signs its own tokens with. To rotate, add a key whose `activeAt` lies ahead by more than verifiers
 * keep a key set: it is published at once, signs from then on, and the one before stays published until its last token
 * is over. Every process that has the same keys does the same at the same time.
 *
 * @param keys  one or more, in any order; the one that began last signs
 * @throws {InvalidOption} there is none, one cannot sign, or two have one name
 */
export function signingKeys(
  keys: string | Jwk | readonly SigningKeyOptions[],
  options?: SigningKeysOptions,
): SigningKeys {
  const { retireAfterMs, clock = Date.now } = resolveOptions('signingKeys', options, {
    checks,
    defaults: signingKeysDefaults,
  })
  const given = Array.isArray(keys) ? (keys as SigningKeyOptions[]) : [{ key: keys as string | Jwk }]
  const all = given.map(scheduledKey).sort((a, b) => a.activeAt - b.activeAt)
  if (all.length === 0) throw new InvalidOption('signingKeys: at least one key is needed.')
  if (new Set(all.map(({ kid }) => kid)).size < all.length) {
    throw new InvalidOption('signingKeys: two keys have the same `kid`.')
  }
  const published = (): ScheduledKey[] =>
    all.filter((_, index) => clock() < (all[index + 1]?.activeAt ?? Number.POSITIVE_INFINITY) + retireAfterMs)

  return {
    algorithms: [...new Set(all.map(({ algorithm }) => algorithm))],
    retireAfterMs,
    current: () => {
      const key = all.findLast(({ activeAt }) => activeAt <= clock())
      if (key === undefined)
        throw new AuthMisuse('signingKeys: no key is active yet; give one without `activeAt`.')
      return key
    },
    jwks: () => ({ keys: published().map(({ jwk }) => jwk) }),
    find: (algorithm, kid) =>
      pick(
        published().map(({ verification }) => verification),
        algorithm,
        kid,
      ),
  }
}

function scheduledKey(options: SigningKeyOptions, index: number): ScheduledKey {
  const { key, kid, activeAt } = resolveOptions(`signingKeys: key ${index + 1}`, options, {
    checks: keyChecks,
    defaults: signingKeyDefaults,
    required: ['key'],
  })
  const given = typeof key === 'object' ? key : jwkIn(key)
  const privateKey = privateKeyOf(given ?? (key as string))
  const publicJwk = privateKey && publicPartOf(privateKey)
  const verification = publicJwk && verificationKey({ ...publicJwk, ...(given?.alg && { alg: given.alg }) })
  if (privateKey === undefined || publicJwk === undefined || verification === undefined) {
    throw new InvalidOption(
      `signingKeys: key ${index + 1} cannot sign: it must be a private key in PKCS#8 or JWK, Ed25519, P-256, P-384, P-521, ` +
        'or RSA of 2,048 bits or more.',
    )
  }
  // RS256 before the others: what every verifier knows.
  const usable = verification.algorithms.filter((one) => !isSymmetric(one))
  const algorithm = usable.find((one) => one === given?.alg) ?? usable[0]!
  const name = kid ?? given?.kid ?? thumbprintOf(publicJwk)
  return {
    kid: name,
    algorithm,
    privateKey,
    activeAt,
    jwk: { ...publicJwk, kid: name, alg: algorithm, use: 'sig' },
    verification: { ...verification, kid: name, algorithms: [algorithm] },
  }
}

function jwkIn(text: string): Jwk | undefined {
  try {
    return JSON.parse(text) as Jwk
  } catch {
    return undefined
  }
}

function privateKeyOf(key: string | Jwk): KeyObject | undefined {
  try {
    return typeof key === 'string' ? createPrivateKey(key) : createPrivateKey({ key, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** `alg` is a member of the key itself only with ML-DSA (draft-ietf-cose-dilithium). */
const PUBLIC_MEMBERS = ['alg', 'crv', 'e', 'kty', 'n', 'pub', 'x', 'y'] as const

function publicPartOf(key: KeyObject): Jwk {
  const jwk = key.export({ format: 'jwk' }) as Jwk
  return Object.fromEntries(
    PUBLIC_MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]])),
  )
}

/** RFC 7638: the required members in the order of their names, which is that of `PUBLIC_MEMBERS`. */
function thumbprintOf(publicJwk: Jwk): string {
  return hash('sha256', JSON.stringify(publicJwk), 'base64url')
}
