import { channel, durationMs, integer, type OptionCheck, requestContext, resolveOptions } from '@scale/core'
import { type ChannelRule, channelRules } from './channel-rules.js'
import { log } from './log.js'
import type { AppLogger } from './logger.js'

export type { ChannelRule } from './channel-rules.js'

/** Options of `logChannels`. */
export interface ChannelLogOptions {
  /**
   * More channels, or other rules for those that are known; `false` turns one off. A rule makes a line of a message.
   * Default `{}`
   */
  channels?: Readonly<Record<`scale:${string}:${string}`, ChannelRule | false>>
  /** Most lines of one channel in `windowMs`; the rest are counted, as `suppressed` of the next. Default 20 */
  maxLines?: number
  /** Length of that window, in ms. Default 10,000 */
  windowMs?: number
}

/** What `logChannels` does unless told otherwise. */
export const channelLogDefaults: Readonly<Required<ChannelLogOptions>> = Object.freeze({
  channels: Object.freeze({}),
  maxLines: 20,
  windowMs: 10_000,
})

const rulesByChannel: OptionCheck = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(
    ([name, rule]) => /^scale:[^:]+:[^:]+$/.test(name) && (rule === false || typeof rule === 'function'),
  )
    ? undefined
    : 'an object with a function or `false` per channel `scale:<package>:<event>`'

/**
 * Writes what the packages tell on their channels: breakers, lost connections, failed stores, refused sessions and
 * quotas, workers, fatal errors. Lines that belong to a request have its ids. It imports none of the packages.
 *
 * @returns a function that stops it
 * @throws {InvalidOption} an option is unknown or wrong
 */
export function logChannels(logger: AppLogger, options?: ChannelLogOptions): () => void {
  const { channels, maxLines, windowMs } = resolveOptions('logChannels', options, {
    checks: { channels: rulesByChannel, maxLines: integer(1), windowMs: durationMs() },
    defaults: channelLogDefaults,
  })
  const stops = Object.entries({ ...channelRules, ...channels }).flatMap(([name, rule]) => {
    if (rule === false) return []
    const bounded = bound(maxLines, windowMs)
    return channel(name as `scale:${string}:${string}`).subscribe((message) => {
      writeMessage(logger, name, rule, message, bounded)
    })
  })
  return () => {
    for (const stop of stops) stop()
  }
}

/** A listener that throws ends the process: what a rule cannot read is left out. */
function writeMessage(
  logger: AppLogger,
  name: string,
  rule: ChannelRule,
  message: unknown,
  bounded: () => number | undefined,
): void {
  const line = lineOf(rule, message)
  if (line === undefined || !logger.isLevelEnabled(line.level)) return
  const isFatal = line.level === 'fatal'
  const suppressed = isFatal ? 0 : bounded()
  if (suppressed === undefined) return
  const target = requestContext() === undefined ? logger : log()
  target[line.level]({ channel: name, ...line.fields, ...(suppressed > 0 && { suppressed }) }, line.message)
  // Nobody may be left to write it later.
  if (isFatal) logger.flushSync()
}

function lineOf(rule: ChannelRule, message: unknown): ReturnType<ChannelRule> {
  try {
    return rule(message)
  } catch {
    return undefined
  }
}

/** Counts the lines of a channel. @returns how many were left out before this one; `undefined` for one too many */
function bound(maxLines: number, windowMs: number): () => number | undefined {
  let endsAt = 0
  let count = 0
  return () => {
    const now = performance.now()
    if (now < endsAt) return ++count <= maxLines ? 0 : undefined
    const suppressed = Math.max(0, count - maxLines)
    endsAt = now + windowMs
    count = 1
    return suppressed
  }
}
