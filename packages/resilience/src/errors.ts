import { ScaleError } from '@scale/core'

/** The other side was not reached, broke off, or answered with a failure where a fallback was asked for. */
export class UpstreamFailed extends ScaleError {
  constructor(policy: string, cause: unknown) {
    super(`${policy} failed.`, { code: 'ERR_SCALE_UPSTREAM_FAILED', status: 502, cause })
  }
}

/** It was not tried: too many calls have failed of late. */
export class UpstreamUnavailable extends ScaleError {
  constructor(policy: string, retryAfterMs: number) {
    super(`${policy} has failed too often and is left alone for a while.`, {
      code: 'ERR_SCALE_UPSTREAM_UNAVAILABLE',
      status: 503,
      headers: { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) },
    })
  }
}

/** It was not tried: too many calls run, and too many wait or this one has waited until its deadline. */
export class UpstreamBusy extends ScaleError {
  constructor(policy: string) {
    super(`Too many calls to ${policy} are under way.`, {
      code: 'ERR_SCALE_UPSTREAM_BUSY',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  }
}

/** The other side did not answer in time. What was asked of it may have happened. */
export class UpstreamTimeout extends ScaleError {
  /** After how many ms it was given up. */
  readonly timeoutMs: number

  constructor(policy: string, timeoutMs: number) {
    super(`${policy} did not answer within ${Math.round(timeoutMs)} ms.`, {
      code: 'ERR_SCALE_UPSTREAM_TIMEOUT',
      status: 504,
    })
    this.timeoutMs = timeoutMs
  }
}

/** The client whose request this call was for has left, or the caller aborted it. */
export class CallAborted extends ScaleError {
  constructor(policy: string, cause?: unknown) {
    super(`The call to ${policy} was aborted by its caller.`, {
      code: 'ERR_SCALE_CALL_ABORTED',
      status: 499,
      cause,
    })
  }
}

/** The address of a call is not below `baseUrl`. */
export class ForeignAddress extends ScaleError {
  constructor(name: string) {
    super(`${name}: an address must be a path that stays below \`baseUrl\`.`, {
      code: 'ERR_SCALE_FOREIGN_ADDRESS',
    })
  }
}
