import { keepUntilEnd, release } from './process-end.js'

/** Lines that are the same but for their time. */
interface Repeated {
  count: number
  endsAt: number
  last: string
}

const MAX_KEYS = 256
/** A longer line is not compared. */
const MAX_KEY_LENGTH = 4_096

/**
 * Holds back lines that repeat: of each, `limit` pass in a window; of the rest the last one passes when the window
 * ends, with their number as `suppressed`.
 */
export class Folding {
  private readonly repeated = new Map<string, Repeated>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly write: (line: string) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @param key  what makes the line the same as another */
  pass(line: string, key: string): void {
    if (key.length > MAX_KEY_LENGTH || this.isFirst(key) || this.isWithinLimit(key)) {
      this.write(line)
      return
    }
    const entry = this.repeated.get(key)!
    entry.last = line
    keepUntilEnd(this, 'passing')
    this.wait(entry.endsAt - this.nowMs())
  }

  writeLast(): void {
    this.flush()
  }

  /** Ends every window now. */
  flush(): void {
    release(this)
    clearTimeout(this.timer)
    this.timer = undefined
    for (const [key, entry] of this.repeated) this.end(key, entry)
  }

  /** Begins a window, and ends the one before. */
  private isFirst(key: string): boolean {
    const now = this.nowMs()
    const entry = this.repeated.get(key)
    if (entry !== undefined && entry.endsAt > now) return false
    if (entry !== undefined) this.end(key, entry)
    this.begin(key, now)
    return true
  }

  private isWithinLimit(key: string): boolean {
    return ++this.repeated.get(key)!.count <= this.limit
  }

  private begin(key: string, now: number): void {
    if (this.repeated.size >= MAX_KEYS) {
      const [oldest, entry] = this.repeated.entries().next().value!
      this.end(oldest, entry)
    }
    this.repeated.set(key, { count: 1, endsAt: now + this.windowMs, last: '' })
  }

  private end(key: string, { count, last }: Repeated): void {
    this.repeated.delete(key)
    const suppressed = count - this.limit
    if (suppressed <= 0) return
    const name = last.includes('"suppressed":') ? 'suppressed_' : 'suppressed'
    this.write(`${last.slice(0, last.lastIndexOf('}'))},"${name}":${suppressed}}\n`)
  }

  private wait(ms: number): void {
    if (this.timer !== undefined) return
    this.timer = setTimeout(() => this.sweep(), Math.ceil(ms))
    this.timer.unref()
  }

  private sweep(): void {
    this.timer = undefined
    const now = this.nowMs()
    for (const [key, entry] of this.repeated) if (entry.endsAt <= now) this.end(key, entry)
    const next = Math.min(
      ...[...this.repeated.values()].filter(({ count }) => count > this.limit).map(({ endsAt }) => endsAt),
    )
    if (next !== Number.POSITIVE_INFINITY) this.wait(next - now)
  }
}
