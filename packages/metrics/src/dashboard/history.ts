import type { Fleet } from '../fleet/fleet.js'
import { processRole } from '../fleet/role.js'
import { summarise, type Totals } from './summary.js'

/** How far the lines of the page go back. */
const KEPT_MS = 600_000

/** What the primary remembers, so that a page that is opened now shows how things came to be so. */
export class History {
  readonly totals: Totals[] = []

  /** @param deadlineMs  how long it waits for workers each time */
  constructor(
    private readonly fleet: Fleet,
    private readonly deadlineMs: number,
  ) {}

  /** In a worker, which is not asked, it does nothing. It keeps no process from ending. */
  start(stepMs: number): void {
    if (processRole() === 'worker') return
    setInterval(() => void this.take(), stepMs).unref()
    void this.take()
  }

  private async take(): Promise<void> {
    const gathered = await this.fleet.gather(this.deadlineMs).catch(() => undefined)
    // Two registers of one name: whoever asks is told.
    if (gathered === undefined) return
    const { routes: _, workers: __, ...totals } = summarise(gathered, Date.now())
    this.totals.push(totals)
    while (this.totals[0]!.at < totals.at - KEPT_MS) this.totals.shift()
  }
}
