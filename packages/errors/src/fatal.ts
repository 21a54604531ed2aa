import { type FatalMessage, fatalChannel } from './channels.js'
import { FatalInstalled } from './errors.js'
import { type FatalOptions, fatalDefaults, resolveFatalOptions } from './options.js'
import { recordable } from './record/recordable.js'

/** EX_SOFTWARE in `sysexits.h`. */
const EXIT_CODE = 70

let installed = false

/**
 * Decides what becomes of the process on an uncaught error or an unhandled rejection: it is recorded, the app drains
 * within `timeoutMs`, and the process ends with status 70. A second fatal error while draining ends it at once.
 *
 * After such an error nobody knows what state the process is in; a supervisor starts a clean one. The flag
 * `--unhandled-rejections` keeps its meaning: a rejection that Node only warns of is not fatal.
 *
 * @returns a function that takes it back, for tests
 * @throws {InvalidOption} an option is unknown or wrong
 * @throws {FatalInstalled} it is in force already
 * @see https://nodejs.org/api/process.html#warning-using-uncaughtexception-correctly
 */
export function onFatal(options?: FatalOptions): () => void {
  const { drain, timeoutMs, record } = resolveFatalOptions(options)
  if (installed) throw new FatalInstalled()
  installed = true
  let isDraining = false

  function onUncaught(thrown: unknown, origin: FatalMessage['origin']): void {
    const willDrain = !isDraining
    isDraining = true
    report({ error: recordable(thrown), origin, willDrain })
    if (!willDrain) process.exit(EXIT_CODE)
    process.exitCode = EXIT_CODE
    setTimeout(endLate, timeoutMs)
    drained(thrown).then(end, endFailed)
  }

  /** Asynchronous also where `drain` throws at once. */
  async function drained(thrown: unknown): Promise<void> {
    await drain(thrown)
  }

  function end(): never {
    process.exit(EXIT_CODE)
  }

  function endFailed(error: unknown): never {
    report({ error: recordable(error), origin: 'drain', willDrain: false })
    return end()
  }

  function endLate(): never {
    return endFailed(new Error(`The drain took longer than ${timeoutMs} ms.`))
  }

  /** Whatever a recorder does, the error is not lost and the process ends. */
  function report(message: FatalMessage): void {
    if (fatalChannel.hasSubscribers) fatalChannel.publish(message)
    try {
      record(message)
    } catch {
      fatalDefaults.record(message)
    }
  }

  process.on('uncaughtException', onUncaught)
  return () => {
    process.off('uncaughtException', onUncaught)
    installed = false
  }
}
