import type { FamilySnapshot, SeriesSnapshot } from '../series/snapshot.js'

/** What a worker tells the primary: all its numbers since it started. */
export interface PushMessage {
  /** Name of the fleet. */
  fleet: string
  families: FamilySnapshot[]
}

/** What the primary tells a worker: push now. */
export interface PullMessage {
  fleet: string
}

// Other messages travel on the same pipe: ours have a name of their own.
const pushKey = '@scale/metrics:push'
const pullKey = '@scale/metrics:pull'

export function wrapPush({ fleet, families }: PushMessage): Record<string, unknown> {
  return { [pushKey]: { fleet, families: families.map((family) => withValues(family, toWire)) } }
}

export function unwrapPush(raw: unknown): PushMessage | undefined {
  const message = unwrap(raw, pushKey) as PushMessage | undefined
  if (message === undefined) return undefined
  return { ...message, families: message.families.map((family) => withValues(family, Number)) }
}

export function wrapPull(message: PullMessage): Record<string, unknown> {
  return { [pullKey]: message }
}

export function unwrapPull(raw: unknown): PullMessage | undefined {
  return unwrap(raw, pullKey) as PullMessage | undefined
}

function unwrap(raw: unknown, key: string): unknown {
  return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>)[key] : undefined
}

/** The pipe speaks JSON, which has neither NaN nor infinities: they would arrive as `null`. */
function toWire(value: number): number {
  return Number.isFinite(value) ? value : (String(value) as unknown as number)
}

function withValues(family: FamilySnapshot, change: (value: number) => number): FamilySnapshot {
  const series = family.series.map(
    (one): SeriesSnapshot => ({ ...one, values: one.values.map((value) => change(value)) }),
  )
  return { ...family, series }
}
