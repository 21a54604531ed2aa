import { property } from '../../property.js'
import type { Mapped } from '../mapped.js'

/**
 * What an `AbortSignal` throws into an operation. The client is still there, or nobody would be answered: so a
 * timeout, or the server's own decision to stop.
 */
export function mapAbort(thrown: unknown): Mapped | undefined {
  switch (property(thrown, 'name')) {
    case 'TimeoutError':
      return { status: 504, code: 'ERR_SCALE_TIMEOUT' }
    case 'AbortError':
      return { status: 503, code: 'ERR_SCALE_ABORTED' }
    default:
      return undefined
  }
}
