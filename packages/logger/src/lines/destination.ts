import { closeSync, openSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { symbols } from 'pino'

/**
 * Where lines go: a stream of Node; what `pino.destination`, `pino.transport` and `pino.multistream` make; or anything
 * with a `write` that takes a line.
 */
export interface LogDestination {
  write(lines: string): unknown
}

/** What streams of pino have besides. */
interface PinoStream extends LogDestination {
  on?(event: string, listener: (error: Error) => void): unknown
  once?(event: 'drain' | 'ready', listener: () => void): unknown
  flush?(done: (error?: Error | null) => void): void
  flushSync?(): void
}

type Done = (error?: Error | null) => void

/** A stream of Node calls back when it has written; those of pino say `false` when they have enough, and then `drain`. */
function callsBack(destination: LogDestination): destination is Writable {
  return typeof (destination as Partial<Writable>).writableHighWaterMark === 'number'
}

/** True for one that wants each line alone, with what pino knows of it: `pino.multistream` chooses by the level. */
export function wantsMetadata(destination: LogDestination): boolean {
  return (destination as { [symbols.needsMetadataGsym]?: unknown })[symbols.needsMetadataGsym] === true
}

/** Calls back with the failure of a destination that tells it. */
export function onFailure(destination: LogDestination, listener: () => void): void {
  ;(destination as PinoStream).on?.('error', listener)
}

/** Gives it text. @param done  called when it can take more; never, while it is stalled */
export function handOver(destination: LogDestination, text: string, done: Done): void {
  if (callsBack(destination)) {
    destination.write(text, done)
    return
  }
  try {
    const stream = destination as PinoStream
    // What it is given before, it would lose with the process.
    if (isUnopened(destination)) stream.once?.('ready', () => handOver(destination, text, done))
    else if (stream.write(text) === false && typeof stream.once === 'function')
      stream.once('drain', () => done())
    else done()
  } catch (error) {
    done(error as Error)
  }
}

/** Calls back when what was handed over has left the process, as far as the destination can say. */
export function settle(destination: LogDestination, done: Done): void {
  const { flush } = destination as PinoStream
  if (callsBack(destination) || typeof flush !== 'function') done()
  else flush.call(destination, done)
}

/** Gives it text, and has it written before this returns. @returns false if it cannot be */
export function handOverNow(destination: LogDestination, text: string): boolean {
  try {
    if (isUnopened(destination)) writeUnopened(destination, text)
    else if (callsBack(destination)) writeNow(destination, text)
    else {
      destination.write(text)
      flushNow(destination)
    }
    return true
  } catch {
    return false
  }
}

/** Has it write what it holds, if it can be told to. */
export function flushNow(destination: LogDestination): void {
  ;(destination as PinoStream).flushSync?.()
}

function writeNow(destination: Writable & { fd?: unknown }, text: string): void {
  const { fd } = destination
  if (typeof fd === 'number') writeBlocking(fd, text)
  else destination.write(text)
}

/** What `fs.createWriteStream` has besides; `pino.destination` has -1 for no file yet, and tells no path. */
interface File {
  fd?: number | null
  path?: string
  flags?: string
  mode?: number
  destroy?(): void
}

/** True for a file of which nothing is written yet, whatever was handed over. */
export function isUnopened(destination: LogDestination & File): boolean {
  const { fd, path } = destination
  return fd === -1 || (fd === null && typeof path === 'string')
}

/** When the process ends, it would be opened no more. Where the path is not known, there is stderr. */
function writeUnopened(destination: LogDestination & File, text: string): void {
  const { path, flags = 'a', mode } = destination
  if (path === undefined) {
    writeBlocking(process.stderr.fd, text)
    // Else it fails the end of the process, because it is not ready.
    destination.destroy?.()
    return
  }
  const fd = openSync(path, flags, mode)
  writeBlocking(fd, text)
  closeSync(fd)
}

/** How long the end of a process waits for a destination that says it is busy. */
const EXIT_WAIT_MS = 500
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
