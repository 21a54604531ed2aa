import { ScaleError } from '@scale/core'

/** `flush()` could not hand everything to the destination in time: it stalls, or is gone. The lines stay buffered. */
export class LogStalled extends ScaleError {
  constructor(waitingBytes: number, timeoutMs: number) {
    super(`The log destination has not taken ${waitingBytes} bytes within ${timeoutMs} ms.`, {
      code: 'ERR_SCALE_LOG_STALLED',
      status: 503,
    })
  }
}

/** `log()` was called outside a request before any logger was made. A fault of the program. */
export class NoLogger extends ScaleError {
  constructor() {
    super('log: there is no logger yet. Call createLogger() first, where the process starts.', {
      code: 'ERR_SCALE_NO_LOGGER',
    })
  }
}
