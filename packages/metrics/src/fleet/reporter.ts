import { MetricConflict } from '../errors.js'
import type { Reading } from '../series/reading.js'
import type { FamilySnapshot } from '../series/snapshot.js'
import { unwrapPull, wrapPush } from './messages.js'

const names = new Set<string>()

/** The worker's side: pushes at an interval, when asked, and when it ends. */
export class Reporter {
  /** @throws {MetricConflict} another register of this process has this name: the primary could not tell them apart */
  constructor(
    private readonly name: string,
    private readonly intervalMs: number,
    private readonly reading: Reading,
  ) {
    if (names.has(name)) throw MetricConflict.ofFleets(name)
    names.add(name)
  }

  start(): void {
    const timer = setInterval(() => void this.push(), this.intervalMs)
    timer.unref()
    process.on('message', (raw) => {
      if (unwrapPull(raw)?.fleet === this.name) void this.push()
    })
    process.on('disconnect', () => clearInterval(timer))
    // The pipe takes what fits into it at once, also now; a snapshot that does not fit is lost, its last one is not.
    process.on('exit', () => this.send(this.reading.now(), () => {}))
    // Whatever is imported next adds its metrics first.
    setImmediate(() => void this.push())
  }

  /** Resolves when the numbers have left, or when there is nobody to tell them to. */
  async push(): Promise<void> {
    const families = await this.reading.read()
    await new Promise<void>((resolve) => this.send(families, resolve))
  }

  private send(families: FamilySnapshot[], done: () => void): void {
    // The callback also takes the error of a pipe that has just closed.
    if (!process.connected) done()
    else process.send!(wrapPush({ fleet: this.name, families }), undefined, undefined, () => done())
  }
}
