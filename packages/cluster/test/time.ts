import { type ClusterOptions, resolveClusterOptions } from '../src/options.js'

/** Whole times and whole counts, as `pnpm soak` wants them. */
export const isSoak: boolean = process.env.SOAK !== undefined

/** Every default time of `runCluster`, and every time of a test that stands for one of life, is so many times shorter. */
export const timeFactor: number = Number(process.env.TIME_FACTOR ?? (isSoak ? 1 : 10))

/** A time of life, in the time of the tests. */
export function inTestTime(ms: number): number {
  return Math.round(ms / timeFactor)
}

/** How often something is repeated: a tenth of it by default, at least three times. */
export function rounds(whole: number): number {
  return isSoak ? whole : Math.max(3, Math.round(whole / 10))
}

/**
 * What `runCluster` does when it is told nothing, in the time of the tests. With a factor of one it is told nothing.
 *
 * @param options  what a test wants beside the defaults
 */
export function shippedDefaults(options: Partial<ClusterOptions> = {}): Partial<ClusterOptions> {
  const merged = { ...(timeFactor === 1 ? {} : timesOf(resolveClusterOptions({ start }, false))) }
  // One process alone has no use for these, and says so.
  if (options.workers === 1)
    for (const name of ['watchdog', 'respawn', 'breaker', 'reload']) delete merged[name]
  for (const [name, value] of Object.entries(options)) {
    const isGroup = typeof value === 'object' && typeof merged[name] === 'object'
    merged[name] = isGroup ? { ...(merged[name] as object), ...value } : value
  }
  return merged
}

/** Everything below `options` whose name says that it is a time. */
function timesOf(options: object): Record<string, unknown> {
  const times: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'number' && name.endsWith('Ms')) times[name] = inTestTime(value)
    else if (typeof value === 'object' && value !== null) {
      const nested = timesOf(value)
      if (Object.keys(nested).length > 0) times[name] = nested
    }
  }
  return times
}

function start(): never {
  throw new Error('nothing is started here')
}
