import { type Channel, channel } from '@scale/core'

/** A job was run once, or has lost its process too often. */
export interface RunMessage {
  queue: string
  /** Of the job: not what it says. */
  id: string
  /** `ok`; `retry`: it failed, and will be run again; `dead`: it failed, and will not. */
  outcome: 'ok' | 'retry' | 'dead'
  /** The how manieth run this was, from 1; 0 if it has lost its process. */
  attempt: number
  durationMs: number
  /** Why it failed. */
  error: unknown
}

/** A relay has asked the outbox. */
export interface RelayMessage {
  /** Jobs that went to their queues. */
  moved: number
  /** Why it could not; it goes on. */
  error: unknown
}

/** `scale:jobs:run`: one message per run. */
export const runChannel: Channel<RunMessage> = channel('scale:jobs:run')

/** `scale:jobs:relay`: one message per batch that was not empty, and per failure. */
export const relayChannel: Channel<RelayMessage> = channel('scale:jobs:relay')
