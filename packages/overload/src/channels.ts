import { type Channel, channel } from '@scale/core'
import type { Refusal } from './errors.js'
import type { Priority } from './queue/waiting-room.js'

/** A request was let in, or refused. Those that are exempt are not told of. */
export interface AdmissionMessage {
  /** `name` of the admission. */
  admission: string
  priority: Priority
  /** How long it waited, ms. */
  waitedMs: number
  /** Why it was refused; `undefined` if it was let in. */
  refusal: Refusal | undefined
}

/** How many may run at once has changed. */
export interface LimitMessage {
  /** `name` of the admission. */
  admission: string
  limit: number
  inFlight: number
  waiting: number
}

/** `scale:overload:admission`: one message per request. */
export const admissionChannel: Channel<AdmissionMessage> = channel('scale:overload:admission')

/** `scale:overload:limit`: one message per change, at most ten a second. */
export const limitChannel: Channel<LimitMessage> = channel('scale:overload:limit')
