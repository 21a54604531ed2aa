import { type Channel, channel } from '@scale/core'

/** Files of secrets have changed. */
export interface ReloadMessage {
  /**
   * `ok`: the new values count, and all listeners have taken them; `invalid`: they cannot be used, and the old ones go on;
   * `failed`: they count, but a listener has thrown.
   */
  outcome: 'ok' | 'invalid' | 'failed'
  /** The variables whose values are others now; with `invalid`, would be. */
  changed: readonly string[]
  /** Why it is `invalid` or `failed`. */
  error: unknown
}

/** `scale:config:reload`: one message per change of the files. */
export const reloadChannel: Channel<ReloadMessage> = channel('scale:config:reload')
