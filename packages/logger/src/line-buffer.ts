import cluster from 'node:cluster'
import { writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { droppedChannel } from './channels.js'
import { LogStalled } from './errors.js'

/** Buffers that hold something, to be written when the process ends. */
const unwritten = new Set<LineBuffer>()
let isWatchingExit = false

/** POSIX: what is not longer goes into a pipe as a whole, so that lines of the workers that share it do not mix. */
const PIPE_BYTES = 4_096
const CHUNK_BYTES = 65_536

/** How long the end of a process waits for a destination that says it is busy. */
const EXIT_WAIT_MS = 500

/**
 * Stands between the lines of a process and their destination, so that no line ever waits for it: what comes while a
 * write is under way is kept, up to a bound, and what comes beyond is dropped and counted. One write is under way at a
 * time; lines go out in their order, a few together.
 */
export class LineBuffer {
  private lines: string[] = []
  private bytes = 0
  private inFlight = ''
  private timer: NodeJS.Timeout | undefined
  private dropped = { lines: 0, bytes: 0 }
  private accepted = 0
  private written = 0
  private waiting: { target: number; done: () => void }[] = []

  constructor(
    private stream: Writable,
    private readonly maxBytes: number,
    private readonly writeAfterMs: number,
    private readonly droppedLine: (dropped: { lines: number; bytes: number }) => string,
  ) {
    stream.on('error', () => this.fallBack(stream))
    if (!isWatchingExit) {
      isWatchingExit = true
      process.on('exit', writeAll)
    }
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
    if (this.written >= target) return Promise.resolve()
    if (this.inFlight === '') this.writeNext()
    return new Promise((resolve, reject) => {
      const entry = { target, done: (): void => settle(resolve) }
      const timer = setTimeout(() => settle(() => reject(new LogStalled(this.bytes, timeoutMs))), timeoutMs)
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        this.waiting = this.waiting.filter((other) => other !== entry)
        then()
      }
      this.waiting.push(entry)
      this.notify()
    })
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
    const { fd } = this.stream as { fd?: unknown }
    if (typeof fd === 'number') writeBlocking(fd, rest)
    else this.stream.write(rest)
    if (this.inFlight === '' || isLast) this.written = this.accepted
    if (this.inFlight === '') unwritten.delete(this)
  }

  private push(line: string): void {
    if (this.lines.length === 0) unwritten.add(this)
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
    stream.write(this.inFlight, (error) => {
      if (error) {
        this.fallBack(stream)
        return
      }
      this.written += count
      this.inFlight = ''
      this.notify()
      if (this.lines.length > 0) this.writeNext()
      else unwritten.delete(this)
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
  private fallBack(failed: Writable): void {
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
    const handle = (this.stream as { _handle?: { writeQueueSize?: number } })._handle
    if (this.inFlight === '' || typeof handle?.writeQueueSize !== 'number') return ''
    return Buffer.from(this.inFlight)
      .subarray(-handle.writeQueueSize || Number.POSITIVE_INFINITY)
      .toString()
  }
}

function writeAll(): void {
  for (const buffer of unwritten) buffer.flushSync(true)
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** A pipe that is full says EAGAIN: ask again, for a while. */
function writeBlocking(fd: number, text: string): void {
  const endsAt = performance.now() + EXIT_WAIT_MS
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > endsAt) return
      Atomics.wait(sleeper, 0, 0, 2)
    }
  }
}
