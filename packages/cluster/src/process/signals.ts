import { closeSync, openSync } from 'node:fs'
import { onStopSignal, type StopSignal } from './app-signals.js'

const hadTerminal = process.stdin.isTTY

/** Whether SIGHUP means what it meant first: the terminal in which this process was started is gone. */
export function terminalClosed(): boolean {
  if (!hadTerminal) return false
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return false
  } catch {
    return true
  }
}

/** Ctrl-C reaches the whole terminal group, and wrappers such as npm pass it on once more: one order, twice. */
const SAME_ORDER_MS = 500

/**
 * Calls `stop` on the first order to end, and `now` on the second.
 *
 * Where there are no signals, process managers send the message `'shutdown'`, or `{ cmd: 'shutdown' }`.
 */
export function onStopOrder(stop: (order: string, signal: StopSignal) => void, now: () => void): void {
  let orderedAt: number | undefined
  const onOrder = (order: string, signal: StopSignal): void => {
    const at = performance.now()
    if (orderedAt === undefined) {
      orderedAt = at
      stop(order, signal)
    } else if (at - orderedAt > SAME_ORDER_MS) now()
  }
  onStopSignal(onOrder)
  process.on('message', (message: unknown) => {
    if (message === 'shutdown' || (message as { cmd?: unknown } | null)?.cmd === 'shutdown')
      onOrder('shutdown', 'SIGTERM')
  })
}

/** In a worker: the primary decides what the end of the terminal means to the whole group. */
export function ignoreHangup(): void {
  process.on('SIGHUP', () => {})
}

/** A signal with a meaning of ours, where the system has it. */
export function onOrder(signal: 'SIGHUP' | 'SIGTTIN' | 'SIGTTOU', listener: () => void): void {
  if (process.platform !== 'win32') process.on(signal, listener)
}
