import { flushNow, handOverNow, type LogDestination } from './destination.js'
import type { LineMetadata, LineSink } from './line-sink.js'

/** Hands each line on at once, with what pino knows of it, as `pino.multistream` needs it. */
export class LineRelay implements LineSink {
  constructor(private readonly destination: LogDestination) {}

  write(line: string, { lastLevel, lastObj, lastMsg, lastTime, lastLogger }: LineMetadata): void {
    Object.assign(this.destination, { lastLevel, lastObj, lastMsg, lastTime, lastLogger })
    try {
      this.destination.write(line)
    } catch {
      handOverNow(process.stderr, line)
    }
  }

  flush(): Promise<void> {
    this.flushSync()
    return Promise.resolve()
  }

  flushSync(): void {
    flushNow(this.destination)
  }
}
