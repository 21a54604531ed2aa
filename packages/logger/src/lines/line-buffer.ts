import cluster from 'node:cluster'
import { droppedChannel } from '../channels.js'
import { LogStalled } from '../errors.js'
import { handOver, handOverNow, isUnopened, type LogDestination, onFailure, settle } from './destination.js'
import type { LineSink } from './line-sink.js'
import { keepUntilEnd, release } from './process-end.js'

/** POSIX: what is not longer goes into a pipe as a whole, so that lines of the workers that share it do not mix. */
const PIPE_BYTES = 4_096
const CHUNK_BYTES = 65_536

/**
 * Stands between the lines of a process and their destination, so that no line ever waits for it: what comes while a
 * write is under way is kept, up to a bound, and what comes beyond is dropped and counted. One write is under way at a
 * time; lines go out in their order, a few together.
 */
export class LineBuffer implements LineSink {
  private lines: string[] = []
  private bytes = 0
  private inFlight = ''
  private timer: NodeJS.Timeout | undefined
  private dropped = { lines: 0, bytes: 0 }
  private accepted = 0
  private written = 0
  private waiting: { target: number; done: () => void }[] = []

  constructor(
    private stream: LogDestination,
    private readonly maxBytes: number,
    private readonly writeAfterMs: number,
    private readonly droppedLine: (dropped: { lines: number; bytes: number }) => string,
  ) {
    onFailure(stream, () => this.fallBack(stream))
  }

  /** Takes a line, or drops it. Never waits, never throws. */
  write(line: string): void {
    if (this.bytes + line.length > this.maxBytes) {
      this.drop(line)
      return
    }
    if (this.dropped.lines > 0) this.tellDropped()
    this.push(line)
    if (this.inFlight !== '') return
    if (this.bytes >= CHUNK_BYTES) this.writeNext()
    else if (this.timer === undefined) this.wait()
  }

  /**
   * Resolves when everything taken so far is with the destination.
   *
   * @throws {LogStalled} not within `timeoutMs`
   */
  flush(timeoutMs: number): Promise<void> {
    if (this.dropped.lines > 0) this.tellDropped()
    const target = this.accepted
    if (this.inFlight === '' && this.written < target) this.writeNext()
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        this.waiting = this.waiting.filter((other) => other !== entry)
      }
      const timer = setTimeout(() => {
        forget()
        reject(new LogStalled(this.bytes, timeoutMs))
      }, timeoutMs)
      const done = (): void => {
        forget()
        settle(this.stream, () => {
          clearTimeout(timer)
          resolve()
        })
      }
      const entry = { target, done }
      this.waiting.push(entry)
      this.notify()
    })
  }

  writeLast(): void {
    this.flushSync(true)
  }

  /** Writes what is here before it returns, or gives up on a destination that stays busy. */
  flushSync(isLast = false): void {
    if (this.dropped.lines > 0) this.tellDropped()
    clearTimeout(this.timer)
    this.timer = undefined
    const rest = (isLast ? this.unfinished() : '') + this.lines.join('')
    this.lines = []
    this.bytes = 0
    if (rest === '') return
    // A destination that is gone: there is stderr.
    if (!handOverNow(this.stream, rest) && isLast) handOverNow(process.stderr, rest)
    if (this.inFlight === '' || isLast) this.written = this.accepted
    if (this.inFlight === '') release(this)
  }

  private push(line: string): void {
    if (this.lines.length === 0) keepUntilEnd(this, 'handing')
    this.lines.push(line)
    this.bytes += line.length
    this.accepted++
  }

  private wait(): void {
    this.timer = setTimeout(() => this.writeNext(), this.writeAfterMs)
    this.timer.unref()
  }

  private writeNext(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const count = this.take()
    if (count === 0) return
    // A stream that is full keeps us waiting by not calling back.
    const { stream } = this
    handOver(stream, this.inFlight, (error) => {
      if (error) {
        this.fallBack(stream)
        return
      }
      this.written += count
      this.inFlight = ''
      this.notify()
      if (this.lines.length > 0) this.writeNext()
      else release(this)
    })
  }

  /** Moves the next lines in flight: as many as go out in one piece, at least one. */
  private take(): number {
    const isShared = cluster.isWorker && (this.stream as { _type?: string })._type === 'pipe'
    const limit = isShared ? PIPE_BYTES : CHUNK_BYTES
    let count = 0
    let size = 0
    while (count < this.lines.length) {
      size += isShared ? Buffer.byteLength(this.lines[count]!) : this.lines[count]!.length
      if (count > 0 && size > limit) break
      count++
    }
    const isAll = count === this.lines.length
    this.inFlight = (isAll ? this.lines : this.lines.splice(0, count)).join('')
    if (isAll) this.lines = []
    this.bytes -= this.inFlight.length
    return count
  }

  private notify(): void {
    for (const { target, done } of [...this.waiting]) if (this.written >= target) done()
  }

  private drop(line: string): void {
    this.dropped.lines++
    this.dropped.bytes += line.length
    if (droppedChannel.hasSubscribers) droppedChannel.publish({ lines: 1, bytes: line.length })
  }

  private tellDropped(): void {
    const line = this.droppedLine(this.dropped)
    this.dropped = { lines: 0, bytes: 0 }
    this.push(line)
  }

  /** The destination is gone: what is left, and what comes, goes to stderr. What was under way goes out again. */
  private fallBack(failed: LogDestination): void {
    // A stream tells its failure twice, by the callback and by the event.
    if (failed !== this.stream) return
    if (failed === process.stderr) {
      this.lines = []
      this.bytes = 0
      this.inFlight = ''
      return
    }
    this.stream = process.stderr
    process.stderr.on('error', () => this.fallBack(process.stderr))
    if (this.inFlight !== '') {
      this.lines.unshift(this.inFlight)
      this.bytes += this.inFlight.length
      this.inFlight = ''
      this.written = this.accepted - this.lines.length
    }
    this.writeNext()
  }

  /** What the system has not taken yet of the write that is under way. */
  private unfinished(): string {
    if (isUnopened(this.stream)) return this.inFlight
    const handle = (this.stream as { _handle?: { writeQueueSize?: number } })._handle
    if (this.inFlight === '' || typeof handle?.writeQueueSize !== 'number') return ''
    return Buffer.from(this.inFlight)
      .subarray(-handle.writeQueueSize || Number.POSITIVE_INFINITY)
      .toString()
  }
}
