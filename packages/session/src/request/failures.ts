import { type FailureMessage, failureChannel } from '../channels.js'

const warned = new Set<FailureMessage['operation']>()

/**
 * Reports a failure that no caller hears of. If nobody listens to the channel, the first of each kind becomes a
 * warning of the process, so that lost data is never silent.
 */
export function reportFailure(operation: FailureMessage['operation'], error: unknown): void {
  if (failureChannel.hasSubscribers) {
    failureChannel.publish({ operation, error })
    return
  }
  if (warned.has(operation)) return
  warned.add(operation)
  process.emitWarning(
    `A session ${operation} failed: ${error instanceof Error ? error.message : 'unknown error'} ` +
      'Further ones are reported on the diagnostics channel scale:session:failure only.',
    { code: 'SCALE_SESSION_FAILURE' },
  )
}
