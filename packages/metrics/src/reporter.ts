import type { FamilySnapshot } from './snapshot.js'
import { unwrapPull, wrapPush } from './wire.js'

/** What a reporter reports. */
interface Reported {
  snapshot(): Promise<FamilySnapshot[]>
  snapshotNow(): FamilySnapshot[]
}

/** The worker's side: pushes at an interval, when asked, and when it ends. */
export class Reporter {
  constructor(
    private readonly name: string,
    private readonly intervalMs: number,
    private readonly source: Reported,
  ) {}

  start(): void {
    const timer = setInterval(() => void this.push(), this.intervalMs)
    timer.unref()
    process.on('message', (raw) => {
      if (unwrapPull(raw)?.registry === this.name) void this.push()
    })
    process.on('disconnect', () => clearInterval(timer))
    // The pipe takes what fits into it at once, also now; a snapshot that does not fit is lost, its last one is not.
    process.on('exit', () => this.send(this.source.snapshotNow(), () => {}))
    // Whatever is imported next adds its metrics first.
    setImmediate(() => void this.push())
  }

  /** Resolves when the numbers have left, or when there is nobody to tell them to. */
  async push(): Promise<void> {
    const families = await this.source.snapshot()
    await new Promise<void>((resolve) => this.send(families, resolve))
  }

  private send(families: FamilySnapshot[], done: () => void): void {
    // The callback also takes the error of a pipe that has just closed.
    if (!process.connected) done()
    else process.send!(wrapPush({ registry: this.name, families }), undefined, undefined, () => done())
  }
}
