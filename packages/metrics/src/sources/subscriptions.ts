import { type Channel, channel } from '@scale/core'

// What packages publish, as far as it is counted: by structure, so that no package is imported.

interface By {
  by: string
}
interface Reason {
  reason: string
}
interface Outcome {
  outcome: string
}
interface Operation {
  operation: string
}

/** Every channel that is listened to, by the parts of its messages that become labels or values. */
interface Messages {
  'scale:redis:operation': Operation & Outcome & { durationMs: number }
  'scale:redis:breaker': { from: string; to: string }
  'scale:redis:late-reply': Operation
  'scale:redis:connection-error': object
  'scale:redis:invalidation': { armed: boolean }
  'scale:session:created': By
  'scale:session:renewed': By
  'scale:session:destroyed': By
  'scale:session:revoked': By & { count: number }
  'scale:session:refused': Reason
  'scale:session:unreadable': Reason
  'scale:session:conflict': Outcome
  'scale:session:failure': Operation
  'scale:rate-limit:decision': {
    limiter: string
    refused: boolean
    shadow: boolean
    decision: { source: string; policies: readonly { policy: string; violated: boolean }[] }
  }
  'scale:rate-limit:store-error': Operation & { limiter: string }
  'scale:cache:read': Outcome & { cache: string; layer: string | undefined; collapsed: boolean }
  'scale:cache:load': Outcome & { cache: string; durationMs: number }
  'scale:cache:corrupt': Reason & { cache: string }
  'scale:cache:store-error': Operation & { cache: string }
  'scale:cache:invalidation': { cache: string; kind: string; count: number; acknowledged: boolean }
  'scale:errors:failure': Outcome & { code: string }
  'scale:errors:fatal': { origin: string }
  'scale:validate:rejected': { code: string }
  'scale:validate:response-failure': { mode: string }
  'scale:overload:admission': { admission: string; priority: number; refusal: string | undefined }
  'scale:overload:limit': { admission: string; limit: number }
  'scale:config:reload': Outcome
  'scale:jobs:run': Outcome & { queue: string; durationMs: number }
  'scale:jobs:relay': { moved: number; error?: unknown }
  'scale:workers:task': Outcome & { pool: string }
  'scale:workers:thread': { pool: string; event: string }
  'scale:workers:utilization': { pool: string; thread: number; utilization: number }
  'scale:resilience:call': Outcome & { policy: string; fallback: boolean; tries: number; hedges: number }
  'scale:resilience:breaker': { policy: string; state: string }
  'scale:resilience:stale-failure': Operation & { policy: string }
  'scale:auth:refused': Reason
  'scale:auth:key-set': Outcome & { url: string; durationMs: number }
  'scale:auth:introspection': Outcome & { url: string; durationMs: number }
  'scale:auth:issued': object
  'scale:auth:refreshed': { repeated: boolean }
  'scale:auth:reuse': object
  'scale:auth:revoked': { what: string }
  'scale:auth:revocation-failure': { decision: string }
  'scale:auth:replay-failure': { decision: string }
  'scale:logger:dropped': { lines: number }
  'scale:cluster:worker': { workerId: number; pid: number | undefined; state: string }
  'scale:cluster:respawn': { during: string }
  'scale:cluster:recycle': object
  'scale:cluster:breaker': { state: string }
  'scale:cluster:readiness': { ready: boolean }
  'scale:cluster:check': { check: { name: string; ok: boolean; error?: string } }
  'scale:cluster:warning': object
  'scale:cluster:reload': { state: string; tookMs?: number }
  'scale:cluster:drained': {
    report: {
      tookMs: number
      connections: { forced: readonly unknown[] }
      hooks: { ran: readonly { phase: string; tookMs: number }[] }
    }
  }
}

/** What becomes of each message. */
export type Listeners = { readonly [Name in keyof Messages]: (message: Messages[Name]) => void }

// Node below 22.21 may drop the subscribers of a channel that nobody holds.
const held = new Set<Channel<never>>()

/** @returns a function that ends all of it */
export function subscribeAll(listeners: Listeners): () => void {
  const stops = Object.entries(listeners).map(([name, listener]) => {
    const one = channel<never>(name as `scale:${string}:${string}`)
    held.add(one)
    return one.subscribe(listener as (message: never) => void)
  })
  return () => {
    for (const stop of stops) stop()
  }
}
