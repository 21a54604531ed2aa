import { inspect } from 'node:util'
import { exitCodes } from './exit-codes.js'

/**
 * Calls `end` once on an uncaught error or an unhandled rejection, unless the app listens for them itself:
 * then it has decided what they mean.
 */
export function onUncaught(end: (error: unknown) => void): void {
  let isEnding = false
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') > 1) return
    writeError(error)
    if (!isEnding) end(error)
    isEnding = true
  })
}

/** As Node would have shown it. */
export function writeError(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : inspect(error)}\n`)
}

/** An app says which status its failure has by `error.exitCode`, such as 78 for a wrong configuration. */
export function exitCodeOf(error: unknown): number {
  const code = (error as { exitCode?: unknown } | null | undefined)?.exitCode
  return Number.isInteger(code) && (code as number) > 0 && (code as number) < 256
    ? (code as number)
    : exitCodes.uncaught
}
