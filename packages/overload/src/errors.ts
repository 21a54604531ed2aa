import { ScaleError } from '@scale/core'

/**
 * Why a request was refused: `full`, all places to wait were taken by what is as important or more; `late`, it had waited
 * too long; `deadline`, its own time is over.
 */
export type Refusal = 'full' | 'late' | 'deadline'

export const OVERLOADED_TYPE: string =
  'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity'

/** The process has more to do than it can, and this request was refused, before anything was done for it. */
export class Overloaded extends ScaleError {
  readonly refusal: Refusal

  constructor(refusal: Refusal, retryAfterS: number) {
    super('The server is busy.', {
      code: 'ERR_SCALE_OVERLOADED',
      status: 503,
      type: OVERLOADED_TYPE,
      title: 'Temporarily reduced capacity',
      headers: { 'Retry-After': String(retryAfterS) },
    })
    this.refusal = refusal
  }
}
