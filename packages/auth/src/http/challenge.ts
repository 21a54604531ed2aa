import type { Dpop } from './dpop/dpop.js'

/** What every challenge of one resource server says. */
export interface ChallengeParameters {
  readonly realm: string | undefined
  /** RFC 9728 §5.1: where a client learns which authorization server to ask. */
  readonly resourceMetadata: string | undefined
  /** Proofs of possession; `undefined` if they are not asked for. */
  readonly dpop: Pick<Dpop, 'mode' | 'algorithms'> | undefined
}

/** How a token is presented. */
export type Scheme = 'Bearer' | 'DPoP'

/**
 * A `WWW-Authenticate` value of RFC 6750 §3 and RFC 9449 §7.1: a challenge for each scheme that is accepted. Values are
 * printable ASCII without quotes and backslashes, checked where they come in, so that none needs escaping.
 *
 * @param parameters  of the refusal, in order; those that are `undefined` are left out
 * @param scheme      of the token that was refused: its challenge has the parameters. Default: the first
 */
export function challengeOf(
  { realm, resourceMetadata, dpop }: ChallengeParameters,
  parameters: Readonly<Record<string, string | undefined>> = {},
  scheme?: Scheme,
): string {
  const accepted: readonly Scheme[] =
    dpop === undefined ? ['Bearer'] : dpop.mode === 'required' ? ['DPoP'] : ['Bearer', 'DPoP']
  const refused = scheme !== undefined && accepted.includes(scheme) ? scheme : accepted[0]
  return accepted
    .map((one) => {
      const algs = one === 'DPoP' ? dpop?.algorithms : undefined
      const all = { realm, ...(one === refused ? parameters : {}), algs, resource_metadata: resourceMetadata }
      const written = Object.entries(all).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}="${value}"`],
      )
      return written.length === 0 ? one : `${one} ${written.join(', ')}`
    })
    .join(', ')
}

/** Checks a text that goes into a quoted parameter: RFC 6750 §3 allows %x20-21, %x23-5B and %x5D-7E. */
export function quotable(max: number): (value: unknown) => string | undefined {
  return (value) =>
    typeof value === 'string' && value.length <= max && /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
      ? undefined
      : `1 to ${max} printable ASCII characters without quotes and backslashes`
}

/** Checks one scope: RFC 6749 §3.3. */
export function scopeToken(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(value)
    ? undefined
    : 'a scope: 1 to 256 printable ASCII characters without spaces, quotes and backslashes'
}
