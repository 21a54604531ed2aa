import type { FamilySnapshot } from './snapshot.js'

/** What a worker tells the primary: all its numbers since it started. */
export interface PushMessage {
  registry: string
  families: FamilySnapshot[]
}

/** What the primary tells a worker: push now. */
export interface PullMessage {
  registry: string
}

// Other messages travel on the same pipe: ours have a name of their own.
const pushKey = '@scale/metrics:push'
const pullKey = '@scale/metrics:pull'

export function wrapPush(message: PushMessage): Record<string, unknown> {
  return { [pushKey]: message }
}

export function unwrapPush(raw: unknown): PushMessage | undefined {
  return unwrap(raw, pushKey) as PushMessage | undefined
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
