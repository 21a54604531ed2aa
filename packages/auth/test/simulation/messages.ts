/** What a member is told to do. Every order is answered by one report. */
export type Order =
  /** Sets its clock this far from the true time, in ms. */
  | { readonly kind: 'clock'; readonly shiftMs: number }
  /** Takes back by its own `revocation`. */
  | { readonly kind: 'revoke'; readonly what: 'token' | 'family' | 'user'; readonly token: string }
  /** Has this many different forgeries verified at once. */
  | { readonly kind: 'flood'; readonly count: number; readonly like: string }
  /** Verifies tokens as it has all the time, and as a process does that starts now. */
  | { readonly kind: 'probe'; readonly tokens: readonly string[] }

/** `accepted`, the reason of a refusal, or `503`. */
export type Verdict = string

export interface Report {
  /** Of a probe: of the member, in the order of the tokens. Of a flood: what became of the forgeries, each word once. */
  readonly verdicts: readonly Verdict[]
  /** Of a probe: of whom has just begun. */
  readonly fresh: readonly Verdict[]
  /** When the keys of the member came, by the true clock. */
  readonly loadedAt: number
}

/** How the members keep the provider's keys. */
export const keyTimes = {
  allowHttp: true,
  timeoutMs: 400,
  refreshAfterMs: 100,
  maxAgeMs: 300,
  maxStaleMs: 4_000,
  cooldownMs: 200,
  backoffMs: 20,
} as const
