import { type Attributes, SpanKind } from '@opentelemetry/api'
import { errorTypeOf } from '../error-type.js'
import type { TraceRule } from './traced.js'

type Rules = Readonly<Record<`scale:${string}:${string}`, TraceRule>>

/** `durationMs` → `scale.<part>.duration_ms`; what is absent, and what is no plain value, is left out. */
function picked(part: string, from: Record<string, unknown>, names: readonly string[]): Attributes {
  const attributes: Attributes = {}
  for (const name of names) {
    const value = from[name]
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      attributes[`scale.${part}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`] = value
    }
  }
  return attributes
}

/** What only happens. A failure is told by its kind. */
const event =
  (part: string, name: string, ...names: string[]): TraceRule =>
  (message) => ({
    name: `scale.${part}.${name}`,
    attributes: {
      ...picked(part, message, names),
      ...('error' in message && message.error !== undefined && { 'error.type': errorTypeOf(message.error) }),
    },
  })

function violated(policies: readonly { policy: string; violated: boolean }[]): string[] {
  return policies.filter((one) => one.violated).map(({ policy }) => policy)
}

/** Session ids, users, keys and values are in no span: what happened, how long it took, and where in the program. */
export const traceRules: Rules = Object.freeze<Rules>({
  'scale:redis:operation': ({ operation, outcome, durationMs }) => ({
    name: `redis ${operation}`,
    kind: SpanKind.CLIENT,
    durationMs,
    attributes: {
      'db.system.name': 'redis',
      'db.operation.name': operation,
      'scale.redis.outcome': outcome,
    },
    ...(outcome !== 'ok' && { errorType: outcome }),
  }),
  'scale:redis:breaker': event('redis', 'breaker', 'from', 'to', 'cause'),
  'scale:redis:late-reply': event('redis', 'late_reply', 'operation', 'durationMs'),

  'scale:session:opened': ({ outcome, durationMs }) => ({
    name: 'session',
    durationMs,
    attributes: { 'scale.session.outcome': outcome },
    ...(outcome === 'failed' && { errorType: outcome }),
  }),
  'scale:session:created': event('session', 'created', 'by'),
  'scale:session:renewed': event('session', 'renewed', 'by'),
  'scale:session:destroyed': event('session', 'destroyed', 'by'),
  'scale:session:revoked': event('session', 'revoked', 'by', 'count'),
  'scale:session:refused': event('session', 'refused', 'reason'),
  'scale:session:unreadable': event('session', 'unreadable', 'reason'),
  'scale:session:conflict': event('session', 'conflict', 'outcome'),
  'scale:session:failure': event('session', 'failure', 'operation'),

  'scale:rate-limit:decision': ({ limiter, refused, shadow, decision, durationMs }) => ({
    name: `quota ${limiter}`,
    durationMs,
    attributes: {
      ...picked('rate_limit', { limiter, refused, shadow }, ['limiter', 'refused', 'shadow']),
      'scale.rate_limit.source': decision.source,
      'scale.rate_limit.violated': violated(decision.policies),
    },
  }),
  'scale:rate-limit:store-error': event('rate_limit', 'store_error', 'limiter', 'operation', 'onStoreError'),

  'scale:cache:read': event('cache', 'read', 'cache', 'outcome', 'layer', 'collapsed'),
  'scale:cache:load': ({ cache, outcome, durationMs, error }) => ({
    name: `cache load ${cache}`,
    durationMs,
    attributes: { 'scale.cache.cache': cache, 'scale.cache.outcome': outcome },
    ...(outcome === 'failed' && { errorType: errorTypeOf(error) }),
  }),
  'scale:cache:corrupt': event('cache', 'corrupt', 'cache', 'reason'),
  'scale:cache:store-error': event('cache', 'store_error', 'cache', 'operation'),
  'scale:cache:invalidation': event('cache', 'invalidation', 'cache', 'kind', 'count', 'acknowledged'),

  'scale:overload:admission': ({ admission, priority, waitedMs, refusal }) => {
    if (refusal === undefined && waitedMs === 0) return undefined
    const attributes = picked('overload', { admission, priority, refusal }, [
      'admission',
      'priority',
      'refusal',
    ])
    // Who is refused at once has waited for nothing.
    return waitedMs === 0
      ? { name: 'scale.overload.refused', attributes }
      : {
          name: `admission ${admission}`,
          durationMs: waitedMs,
          attributes,
          ...(refusal !== undefined && { errorType: String(refusal) }),
        }
  },

  'scale:resilience:call': ({ policy, outcome, fallback, tries, hedges, durationMs }) => ({
    name: `call ${policy}`,
    durationMs,
    attributes: picked('resilience', { policy, outcome, fallback, tries, hedges }, [
      'policy',
      'outcome',
      'fallback',
      'tries',
      'hedges',
    ]),
    ...(outcome !== 'ok' && { errorType: outcome }),
  }),
  'scale:resilience:breaker': event('resilience', 'breaker', 'policy', 'state', 'calls', 'failures'),
  'scale:resilience:stale-failure': event('resilience', 'stale_failure', 'policy', 'operation'),

  'scale:workers:task': ({ pool, task, outcome, waitedMs, durationMs }) => ({
    name: `task ${task}`,
    durationMs: waitedMs + durationMs,
    attributes: picked('workers', { pool, task, outcome, waitedMs }, ['pool', 'task', 'outcome', 'waitedMs']),
    ...(outcome !== 'ok' && { errorType: outcome }),
  }),

  'scale:jobs:run': ({ queue, outcome, attempt, durationMs, error }) => ({
    name: `job ${queue}`,
    kind: SpanKind.CONSUMER,
    durationMs,
    attributes: picked('jobs', { queue, outcome, attempt }, ['queue', 'outcome', 'attempt']),
    ...(outcome !== 'ok' && { errorType: errorTypeOf(error) }),
  }),

  'scale:auth:refused': event('auth', 'refused', 'reason'),
  'scale:auth:key-set': ({ url, outcome, keys, durationMs, error }) => ({
    name: 'key set',
    kind: SpanKind.CLIENT,
    durationMs,
    attributes: { 'url.full': url, 'scale.auth.outcome': outcome, 'scale.auth.keys': keys },
    ...(outcome === 'failed' && { errorType: errorTypeOf(error) }),
  }),
  'scale:auth:introspection': ({ url, outcome, durationMs, error }) => ({
    name: 'introspection',
    kind: SpanKind.CLIENT,
    durationMs,
    attributes: { 'url.full': url, 'scale.auth.outcome': outcome },
    ...(outcome === 'failed' && { errorType: errorTypeOf(error) }),
  }),
  'scale:auth:issued': event('auth', 'issued'),
  'scale:auth:refreshed': event('auth', 'refreshed', 'repeated'),
  'scale:auth:reuse': event('auth', 'reuse'),
  'scale:auth:revoked': event('auth', 'revoked', 'what'),
  'scale:auth:revocation-failure': event('auth', 'revocation_failure', 'decision'),
  'scale:auth:replay-failure': event('auth', 'replay_failure', 'decision'),

  'scale:validate:rejected': event('validate', 'rejected', 'code', 'issues'),
  'scale:validate:response-failure': event('validate', 'response_failure', 'mode', 'omitted'),
  'scale:errors:failure': event('errors', 'failure', 'code', 'outcome', 'upstreamStatus'),
})
