import type { LogLevel } from './options.js'

/** What becomes of a message: a line, or `undefined` for none. `message` is the text of the line, `fields` the rest. */
export type ChannelRule = (
  // Messages are read by shape: this package imports none of those that publish them.
  // biome-ignore lint/suspicious/noExplicitAny: each rule knows the message of its channel
  message: any,
) => { level: Exclude<LogLevel, 'silent'>; message: string; fields?: object } | undefined

const warning =
  (message: string, ...names: string[]): ChannelRule =>
  (from) => ({ level: 'warn', message, fields: picked(from, names) })

const information =
  (message: string, ...names: string[]): ChannelRule =>
  (from) => ({ level: 'info', message, fields: picked(from, names) })

function picked(from: Record<string, unknown>, names: readonly string[]): object {
  return Object.fromEntries(
    names
      .map((name) => [name === 'error' ? 'err' : name, from[name]])
      .filter(([, value]) => value !== undefined),
  )
}

/** Session ids, users, keys and values are in no line: what happened, and where in the program. */
export const channelRules: Readonly<Record<`scale:${string}:${string}`, ChannelRule>> = Object.freeze({
  'scale:redis:breaker': (message) => ({
    level: message.to === 'closed' ? 'info' : 'warn',
    message: 'Redis breaker changed',
    fields: picked(message, ['from', 'to', 'cause', 'node']),
  }),
  'scale:redis:connection-error': warning('Redis connection failed', 'error'),
  'scale:redis:invalidation': (message) => ({
    // Armed is how it should be.
    level: message.armed ? 'debug' : 'warn',
    message: message.armed ? 'invalidation channel armed' : 'invalidation channel lost',
    fields: {},
  }),
  'scale:session:refused': (message) => ({
    // A secret that is wrong, or a token that was replaced: somebody may hold a copy.
    level: message.reason === 'secret' || message.reason === 'renewed' ? 'warn' : 'debug',
    message: 'session refused',
    fields: picked(message, ['reason']),
  }),
  'scale:session:revoked': information('sessions revoked', 'by', 'count'),
  'scale:session:unreadable': warning('session unreadable', 'reason', 'keys'),
  'scale:session:conflict': (message) =>
    message.outcome === 'merged'
      ? undefined
      : { level: 'warn', message: 'session conflict', fields: picked(message, ['outcome', 'keys']) },
  'scale:session:failure': warning('session store failed', 'operation', 'error'),
  'scale:rate-limit:decision': (message) =>
    message.refused
      ? {
          level: 'info',
          message: 'quota refused a request',
          fields: {
            ...picked(message, ['limiter', 'shadow']),
            policies: violated(message.decision?.policies),
          },
        }
      : undefined,
  'scale:rate-limit:store-error': warning(
    'quota store failed',
    'limiter',
    'operation',
    'onStoreError',
    'error',
  ),
  // A line for each refusal would be more work at the very time when there is too much; they are counted.
  'scale:overload:admission': () => undefined,
  'scale:overload:limit': (message) => ({
    level: 'debug',
    message: 'concurrency limit changed',
    fields: picked(message, ['admission', 'limit', 'inFlight', 'waiting']),
  }),
  // One per call would be a second line per request; they are counted.
  'scale:resilience:call': () => undefined,
  'scale:resilience:breaker': (message) => ({
    level: message.state === 'open' ? 'warn' : 'info',
    message: 'breaker of an upstream changed',
    fields: picked(message, ['policy', 'state', 'calls', 'failures']),
  }),
  'scale:resilience:stale-failure': warning('store of stale values failed', 'policy', 'operation', 'error'),
  // They are counted.
  'scale:config:reload': (message) => ({
    level: message.outcome === 'ok' ? 'info' : 'warn',
    message: 'secrets changed',
    fields: picked(message, ['outcome', 'changed', 'error']),
  }),
  'scale:jobs:run': (message) =>
    message.outcome === 'ok'
      ? undefined
      : {
          level: message.outcome === 'dead' ? 'error' : 'warn',
          message: message.outcome === 'dead' ? 'job failed for good' : 'job failed and will be tried again',
          fields: picked(message, ['queue', 'id', 'attempt', 'error']),
        },
  'scale:jobs:relay': (message) =>
    message.error === undefined
      ? undefined
      : { level: 'warn', message: 'outbox could not be relayed', fields: picked(message, ['error']) },
  'scale:workers:task': () => undefined,
  'scale:workers:utilization': () => undefined,
  'scale:workers:thread': (message) =>
    message.event === 'died'
      ? { level: 'error', message: 'thread died', fields: picked(message, ['pool', 'thread', 'error']) }
      : {
          level: 'debug',
          message: 'thread of a pool changed',
          fields: picked(message, ['pool', 'thread', 'event']),
        },
  'scale:cache:load': (message) =>
    message.outcome === 'failed'
      ? {
          level: 'warn',
          message: 'cache load failed',
          fields: picked(message, ['cache', 'durationMs', 'error']),
        }
      : undefined,
  'scale:cache:corrupt': warning('cache entry unreadable', 'cache', 'reason', 'error'),
  'scale:cache:store-error': warning('cache store failed', 'cache', 'operation', 'error'),
  'scale:cache:invalidation': (message) =>
    message.acknowledged
      ? undefined
      : {
          level: 'warn',
          message: 'cache invalidation waits',
          fields: picked(message, ['cache', 'kind', 'count']),
        },
  'scale:validate:response-failure': warning(
    'response broke its contract',
    'status',
    'mode',
    'method',
    'route',
    'issues',
  ),
  // What came too late for the line of its request.
  'scale:errors:failure': (message) =>
    message.outcome === 'late'
      ? { level: 'error', message: 'failure after the response', fields: picked(message, ['code', 'error']) }
      : undefined,
  'scale:errors:fatal': (message) => ({
    level: 'fatal',
    message: 'fatal error',
    fields: picked(message, ['origin', 'willDrain', 'error']),
  }),
  ...clusterRules(),
})

function violated(policies: readonly { policy?: unknown; violated?: unknown }[] | undefined): unknown[] {
  return (policies ?? []).filter((one) => one.violated).map((one) => one.policy)
}

/** The events of a cluster bring their level and their sentence along. Heartbeats are for metrics. */
function clusterRules(): Record<`scale:${string}:${string}`, ChannelRule> {
  const types = [
    'decided',
    'ready',
    'worker',
    'respawn',
    'breaker',
    'recycle',
    'reload',
    'scaled',
    'check',
    'readiness',
    'warning',
    'stopping',
    'drained',
  ]
  const names = [
    'workerId',
    'pid',
    'state',
    'code',
    'signal',
    'during',
    'failures',
    'delayMs',
    'reason',
    'replaced',
    'tookMs',
    'workers',
  ]
  const rule: ChannelRule = (event) => ({
    level: event.level,
    message: event.message,
    fields: picked(event, names),
  })
  return Object.fromEntries(types.map((type) => [`scale:cluster:${type}`, rule]))
}
