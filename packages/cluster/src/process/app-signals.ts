// An app's own listeners for the signals that end a process, beside ours. Node calls all of them, so the app's hear every signal that
// reaches their process; what reaches only the primary, or is no signal at all, is passed on to them here.

/** An order to end that an app may listen for itself. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** Where nothing outside can send SIGTERM, SIGBREAK stands for it. */
const stopSignals: Readonly<Record<string, StopSignal>> =
  process.platform === 'win32'
    ? { SIGTERM: 'SIGTERM', SIGINT: 'SIGINT', SIGBREAK: 'SIGTERM' }
    : { SIGTERM: 'SIGTERM', SIGINT: 'SIGINT' }

const ours = new WeakSet<object>()
const received = new Set<StopSignal>()
/** Signals that the app has heard and listened for. */
const heardByApp = new Set<StopSignal>()
let isPassingOn = false
let onDone: () => void = () => {}
const done = new Promise<void>((resolve) => {
  onDone = resolve
})

/**
 * Calls `listener` for each signal to end that this process gets. Call it before the app can listen: who listens first hears first.
 *
 * An app that has done its work often sends itself the signal once more, its listener being gone, to die of it: that is no second order.
 */
export function onStopSignal(listener: (name: string, signal: StopSignal) => void): void {
  for (const [name, signal] of Object.entries(stopSignals)) {
    const own = (): void => {
      if (isPassingOn) return
      if (heardByApp.has(signal) && !isHandledByApp(signal)) {
        heardByApp.delete(signal)
        onDone()
        return
      }
      received.add(signal)
      if (isHandledByApp(signal)) heardByApp.add(signal)
      listener(name, signal)
    }
    ours.add(own)
    process.on(name, own)
  }
}

/** Whether the app listens for this signal: then it ends itself, as it does without us. */
export function isHandledByApp(signal: StopSignal): boolean {
  return process.listeners(signal).filter((listener) => !ours.has(listener)).length > idleListeners()
}

/**
 * Lets the app's own listeners hear an order to end, unless the signal itself has reached this process. What they throw is uncaught, as
 * it is when Node calls them.
 *
 * @returns whether there are any
 */
export function passOn(signal: StopSignal): boolean {
  if (heardByApp.has(signal)) return true
  if (received.has(signal) || !isHandledByApp(signal)) return false
  heardByApp.add(signal)
  setImmediate(() => {
    isPassingOn = true
    try {
      process.emit(signal, signal)
    } finally {
      isPassingOn = false
    }
  })
  return true
}

/**
 * Waits until an app that has heard the order has nothing left to do, so that Node alone would end the process, or wants to die of the
 * signal. If it calls `process.exit`, that is its end.
 *
 * @returns false if that did not come in time
 */
export function appDone(timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    process.channel?.unref()
    setTimeout(resolve, timeoutMs, false).unref()
    process.once('beforeExit', () => resolve(true))
    void done.then(() => resolve(true))
  })
}

/** Listeners of the package `signal-exit` (3 and 4) do nothing while there are others, and ours are others. */
function idleListeners(): number {
  const emitters = [
    (process as { __signal_exit_emitter__?: { count?: number } }).__signal_exit_emitter__,
    (globalThis as { [emitter: symbol]: { count?: number } | undefined })[Symbol.for('signal-exit emitter')],
  ]
  return emitters.reduce((sum, emitter) => sum + (emitter?.count ?? 0), 0)
}
