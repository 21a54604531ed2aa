import { ScaleError } from '@scale/core'
import type { Decision } from './response/decision.js'

/** What kind of problem a refusal is. */
export const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded'

/** What kind of problem a store is that does not answer. */
export const REDUCED_CAPACITY = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity'

/** A quota is spent. Handed to `next` by the middleware: status 429, with `Retry-After` unless waiting cannot help. */
export class RateLimited extends ScaleError {
  readonly decision: Decision

  /** @param headers  that belong to the answer */
  constructor(decision: Decision, headers: Readonly<Record<string, string>>) {
    super('Too many requests: the quota is spent.', {
      code: 'ERR_SCALE_RATE_LIMITED',
      status: 429,
      type: QUOTA_EXCEEDED,
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      headers,
      extensions: {
        'violated-policies': decision.policies.filter(({ violated }) => violated).map(({ policy }) => policy),
      },
    })
    this.decision = decision
  }
}

/**
 * Makes the error of a refusal, without a stack: it is an answer and no fault, and where it was made is always here. To
 * walk the stack would cost more than the whole decision, at the very time when there are too many requests.
 */
export function refusal(decision: Decision, headers: Readonly<Record<string, string>>): RateLimited {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return new RateLimited(decision, headers)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * The store gave no decision and `onStoreError` is `'closed'`: status 503, with `Retry-After`. The cost may have been
 * taken. `cause` is the store's error.
 */
export class RateLimitStoreUnavailable extends ScaleError {
  constructor(cause: unknown) {
    const { headers } = cause as { headers?: Readonly<Record<string, string>> }
    super('The quota cannot be checked now.', {
      code: 'ERR_SCALE_RATE_LIMIT_STORE_UNAVAILABLE',
      status: 503,
      type: REDUCED_CAPACITY,
      headers: { 'Retry-After': headers?.['Retry-After'] ?? '1' },
      cause,
    })
  }
}

/**
 * The client's address cannot be read, it is what would be counted, and `onUnknownAddress` is `'closed'`: status 400.
 *
 * @see docs/errors.md
 */
export class UnknownClientAddress extends ScaleError {
  constructor() {
    super('The address that a quota is counted by cannot be read.', {
      code: 'ERR_SCALE_RATE_LIMIT_ADDRESS',
      status: 400,
    })
  }
}

/** The same, because the client has hung up: nobody waits for an answer. */
export class ClientGone extends UnknownClientAddress {}

/** A key of a quota holds something else. The other quotas are not affected. */
export class UnreadableQuota extends ScaleError {
  constructor() {
    super(
      'A key that should hold a quota holds another type. Give this app a `prefix` of its own, and delete the key.',
      { code: 'ERR_SCALE_RATE_LIMIT_UNREADABLE' },
    )
  }
}
