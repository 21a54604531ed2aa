/** What a metric is, before it has a value. */
interface Definition {
  /** In the form Prometheus wants: base unit in the name, `_total` on counters. */
  readonly name: string
  readonly help: string
  /** Label names, in the order in which values are given. */
  readonly labels: readonly string[]
}

/** What only goes up. */
export interface CounterDefinition extends Definition {
  readonly type: 'counter'
}

/** What goes up and down. */
export interface GaugeDefinition extends Definition {
  readonly type: 'gauge'
  /** How the values of several processes become one. */
  readonly aggregate: GaugeAggregation
}

/** What is spread over a range. */
export interface HistogramDefinition extends Definition {
  readonly type: 'histogram'
  /** Upper bounds of the buckets, ascending, without infinity. */
  readonly bounds: readonly number[]
}

export type MetricDefinition = CounterDefinition | GaugeDefinition | HistogramDefinition

type Catalogue<
  Counters extends string,
  Gauges extends string = never,
  Histograms extends string = never,
> = Readonly<
  Record<Counters, CounterDefinition> &
    Record<Gauges, GaugeDefinition> &
    Record<Histograms, HistogramDefinition>
>

/**
 * How a gauge of several processes is shown: their sum, the largest, the smallest, or each by itself under the label
 * `worker`. An average is not offered: it hides the one process that is in trouble.
 */
export type GaugeAggregation = 'sum' | 'max' | 'min' | 'worker'

/**
 * Buckets of OpenTelemetry's `http.server.request.duration`, in seconds.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
 */
export const durationBounds: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
])

/** Powers of four from 64 bytes to 16 MiB. */
const sizeBounds = Object.freeze([
  64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
])

/** From 1 ms, where a store is healthy, to the second at which everybody notices. */
const storeBounds = Object.freeze([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1])

const slowBounds = Object.freeze([0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300])

const httpLabels = Object.freeze([
  'http_request_method',
  'url_scheme',
  'http_response_status_code',
  'http_route',
  'error_type',
])

function counter(name: string, labels: readonly string[], help: string): CounterDefinition {
  return { name, help, type: 'counter', labels }
}

function gauge(
  name: string,
  labels: readonly string[],
  aggregate: GaugeAggregation,
  help: string,
): GaugeDefinition {
  return { name, help, type: 'gauge', labels, aggregate }
}

function histogram(
  name: string,
  labels: readonly string[],
  bounds: readonly number[],
  help: string,
): HistogramDefinition {
  return { name, help, type: 'histogram', labels, bounds }
}

/** Metrics of `httpMetrics()` with the preset `otel`. */
export const httpCatalogue: Catalogue<never, 'active', 'duration' | 'requestSize' | 'responseSize'> = {
  duration: histogram(
    'http_server_request_duration_seconds',
    httpLabels,
    durationBounds,
    'Time from the request to the end of its response.',
  ),
  active: gauge(
    'http_server_active_requests',
    ['http_request_method', 'url_scheme'],
    'sum',
    'Requests whose response is not finished.',
  ),
  requestSize: histogram(
    'http_server_request_body_size_bytes',
    httpLabels,
    sizeBounds,
    'Size of request bodies, as their Content-Length says.',
  ),
  responseSize: histogram(
    'http_server_response_body_size_bytes',
    httpLabels,
    sizeBounds,
    'Size of response bodies as sent, after compression.',
  ),
}

/** The one metric of the preset `legacy`, as express-prom-bundle makes it. */
export const legacyCatalogue: Catalogue<never, never, 'duration'> = {
  duration: histogram(
    'http_request_duration_seconds',
    ['status_code', 'method', 'path'],
    Object.freeze([0.003, 0.03, 0.1, 0.3, 1.5, 10]),
    'duration histogram of http responses labeled with: status_code, method, path',
  ),
}

/** Metrics of `packageMetrics()`: what the channels of the packages tell. */
export const packageCatalogue: Catalogue<
  | 'redisBreakerChanges'
  | 'redisLateReplies'
  | 'redisConnectionErrors'
  | 'redisInvalidation'
  | 'sessionCreated'
  | 'sessionRenewed'
  | 'sessionDestroyed'
  | 'sessionRevoked'
  | 'sessionRefused'
  | 'sessionUnreadable'
  | 'sessionConflicts'
  | 'sessionFailures'
  | 'rateLimitDecisions'
  | 'rateLimitViolations'
  | 'rateLimitStoreErrors'
  | 'cacheReads'
  | 'cacheCollapsed'
  | 'cacheCorrupt'
  | 'cacheStoreErrors'
  | 'cacheInvalidations'
  | 'authRefused'
  | 'authIssued'
  | 'authRefreshed'
  | 'authReuse'
  | 'authRevoked'
  | 'authRevocationFailures'
  | 'authReplayFailures'
  | 'loggerDropped'
  | 'errorsFailures'
  | 'errorsFatal'
  | 'validateRejected'
  | 'validateResponses'
  | 'overloadRequests'
  | 'configReloads'
  | 'jobsRelayed'
  | 'jobsRelayFailures'
  | 'workersTasks'
  | 'workersThreads'
  | 'resilienceCalls'
  | 'resilienceRepetitions'
  | 'resilienceStaleFailures'
  | 'clusterRestarts'
  | 'clusterChecks'
  | 'clusterWarnings'
  | 'clusterReloads'
  | 'shutdownForced',
  | 'redisBreakersOpen'
  | 'overloadLimit'
  | 'workersUtilization'
  | 'resilienceBreakersOpen'
  | 'clusterWorkers'
  | 'clusterHeld'
  | 'clusterReady',
  | 'redisOperation'
  | 'cacheLoads'
  | 'jobsRuns'
  | 'authKeySet'
  | 'authIntrospection'
  | 'clusterReloadDuration'
  | 'shutdownDuration'
> = {
  redisOperation: histogram(
    'scale_redis_operation_duration_seconds',
    ['operation', 'outcome'],
    storeBounds,
    'Guarded Redis operations: ok, error, or why there was no answer (timeout, breaker-open, …).',
  ),
  redisBreakerChanges: counter(
    'scale_redis_breaker_changes_total',
    ['to'],
    'Changes of a Redis breaker, by the state it went to.',
  ),
  redisBreakersOpen: gauge(
    'scale_redis_breakers_open',
    [],
    'sum',
    'Redis breakers that are not closed now, over all processes.',
  ),
  redisLateReplies: counter(
    'scale_redis_late_replies_total',
    ['operation'],
    'Replies that came after their deadline.',
  ),
  redisConnectionErrors: counter(
    'scale_redis_connection_errors_total',
    [],
    'Errors of Redis connections made by createRedis.',
  ),
  redisInvalidation: counter(
    'scale_redis_invalidation_changes_total',
    ['state'],
    'Times the invalidation channel began to listen (armed) or lost its connection (lost).',
  ),
  sessionCreated: counter('scale_session_created_total', ['by'], 'Sessions stored for the first time.'),
  sessionRenewed: counter('scale_session_renewed_total', ['by'], 'Sessions that were given a new token.'),
  sessionDestroyed: counter(
    'scale_session_destroyed_total',
    ['by'],
    'Sessions ended by the request that held them.',
  ),
  sessionRevoked: counter('scale_session_revoked_total', ['by'], 'Sessions ended from outside.'),
  sessionRefused: counter(
    'scale_session_refused_total',
    ['reason'],
    'Presented tokens that opened no session.',
  ),
  sessionUnreadable: counter(
    'scale_session_unreadable_total',
    ['reason'],
    'Stored sessions with data that could not be used.',
  ),
  sessionConflicts: counter(
    'scale_session_conflicts_total',
    ['outcome'],
    'Requests that changed the same keys of a session at once.',
  ),
  sessionFailures: counter(
    'scale_session_failures_total',
    ['operation'],
    'Session operations that the store did not carry out.',
  ),
  rateLimitDecisions: counter(
    'scale_rate_limit_decisions_total',
    ['limiter', 'outcome', 'source'],
    'Decisions on requests: allowed, refused, or shadowed (would have been refused), and where they were made.',
  ),
  rateLimitViolations: counter(
    'scale_rate_limit_violations_total',
    ['limiter', 'policy'],
    'Refusals by the policy that caused them.',
  ),
  rateLimitStoreErrors: counter(
    'scale_rate_limit_store_errors_total',
    ['limiter', 'operation'],
    'Decisions that the store did not give.',
  ),
  cacheReads: counter(
    'scale_cache_reads_total',
    ['cache', 'outcome', 'layer'],
    'Values asked for: hit, stale or miss, and the layer that had it.',
  ),
  cacheCollapsed: counter(
    'scale_cache_collapsed_total',
    ['cache'],
    'Reads that waited for the load of another.',
  ),
  cacheLoads: histogram(
    'scale_cache_load_duration_seconds',
    ['cache', 'outcome'],
    durationBounds,
    'Loaders: stored, fenced, unstored or failed.',
  ),
  cacheCorrupt: counter(
    'scale_cache_corrupt_total',
    ['cache', 'reason'],
    'Stored entries that could not be read.',
  ),
  cacheStoreErrors: counter(
    'scale_cache_store_errors_total',
    ['cache', 'operation'],
    'Cache operations that the store did not answer.',
  ),
  cacheInvalidations: counter(
    'scale_cache_invalidations_total',
    ['cache', 'kind', 'acknowledged'],
    'Keys and tags invalidated by this service.',
  ),
  authRefused: counter(
    'scale_auth_refused_total',
    ['reason'],
    'Access tokens and proofs of possession that were presented and refused.',
  ),
  authKeySet: histogram(
    'scale_auth_key_set_duration_seconds',
    ['url', 'outcome'],
    durationBounds,
    'Requests to a provider for its keys: loaded or failed.',
  ),
  authIntrospection: histogram(
    'scale_auth_introspection_duration_seconds',
    ['url', 'outcome'],
    durationBounds,
    'Questions to a provider about tokens: active, inactive or failed.',
  ),
  authIssued: counter('scale_auth_issued_total', [], 'Sign-ins that were given tokens.'),
  authRefreshed: counter(
    'scale_auth_refreshed_total',
    ['repeated'],
    'Refresh tokens that were exchanged; repeated: another request had been first.',
  ),
  authReuse: counter(
    'scale_auth_reuse_total',
    [],
    'Refresh tokens that were used again after their grace: one of two users is a thief.',
  ),
  authRevoked: counter('scale_auth_revoked_total', ['what'], 'Tokens, families and users that were revoked.'),
  authRevocationFailures: counter(
    'scale_auth_revocation_failures_total',
    ['decision'],
    'Checks for revocation that the store did not answer, and what became of the request.',
  ),
  authReplayFailures: counter(
    'scale_auth_replay_failures_total',
    ['decision'],
    'Proofs of possession of which the store did not say whether they were used, and what became of the request.',
  ),
  loggerDropped: counter(
    'scale_logger_dropped_lines_total',
    [],
    'Log lines that were dropped because their destination stalled.',
  ),
  errorsFailures: counter(
    'scale_errors_failures_total',
    ['code', 'outcome'],
    'Failed requests by the stable code of the failure, and what became of the answer.',
  ),
  errorsFatal: counter('scale_errors_fatal_total', ['origin'], 'Errors that end the process.'),
  validateRejected: counter(
    'scale_validate_rejected_total',
    ['code'],
    'Requests that did not fit their schema.',
  ),
  validateResponses: counter(
    'scale_validate_response_failures_total',
    ['mode'],
    'Responses that did not fit their schema.',
  ),
  overloadRequests: counter(
    'scale_overload_requests_total',
    ['admission', 'priority', 'outcome'],
    'Requests that were let in, or refused because there was too much to do: full, late or deadline.',
  ),
  overloadLimit: gauge(
    'scale_overload_limit',
    ['admission'],
    'sum',
    'How many requests may run at once, by the last change.',
  ),
  configReloads: counter(
    'scale_config_reloads_total',
    ['outcome'],
    'Secrets that changed while a process ran: ok, invalid (the old ones go on), failed (a listener threw).',
  ),
  jobsRuns: histogram(
    'scale_jobs_run_duration_seconds',
    ['queue', 'outcome'],
    slowBounds,
    'Runs of jobs: ok, retry (failed, and will be run again) or dead (failed for good).',
  ),
  jobsRelayed: counter('scale_jobs_relayed_total', [], 'Jobs that went from an outbox to their queues.'),
  jobsRelayFailures: counter(
    'scale_jobs_relay_failures_total',
    [],
    'Times that a relay could not read its outbox, or not reach a queue.',
  ),
  workersTasks: counter(
    'scale_workers_tasks_total',
    ['pool', 'outcome'],
    'Tasks of a pool of threads: ok, failed, crashed, timeout, busy, aborted or closed.',
  ),
  workersThreads: counter(
    'scale_workers_threads_total',
    ['pool', 'event'],
    'Threads that became ready, were stopped together with their task, or died.',
  ),
  workersUtilization: gauge(
    'scale_workers_utilization',
    ['pool', 'thread'],
    'max',
    'Share of the time that a thread was busy, the highest of all processes.',
  ),
  resilienceCalls: counter(
    'scale_resilience_calls_total',
    ['policy', 'outcome', 'fallback'],
    'Calls to other services: ok, failed, timeout, open, busy or aborted; and whether a fallback was given.',
  ),
  resilienceRepetitions: counter(
    'scale_resilience_repetitions_total',
    ['policy', 'kind'],
    'Calls that were sent again after a failure (retry), or because an answer took long (hedge).',
  ),
  resilienceBreakersOpen: gauge(
    'scale_resilience_breaker_open',
    ['policy'],
    'sum',
    'Processes in which the breaker of a policy is open or half-open.',
  ),
  resilienceStaleFailures: counter(
    'scale_resilience_stale_failures_total',
    ['policy', 'operation'],
    'Failures of a store of stale values.',
  ),
  clusterWorkers: gauge('scale_cluster_workers', ['state'], 'sum', 'Worker processes by state.'),
  clusterRestarts: counter(
    'scale_cluster_worker_restarts_total',
    ['reason'],
    'Workers started again: boot or run (they failed), recycle (age, requests, memory, order).',
  ),
  clusterHeld: gauge(
    'scale_cluster_breakers_open',
    [],
    'sum',
    'Places of workers that stay empty for a while because their workers kept failing.',
  ),
  clusterReady: gauge(
    'scale_cluster_ready',
    [],
    'sum',
    '1 while `/readyz` says that this copy takes traffic.',
  ),
  clusterChecks: counter(
    'scale_cluster_check_changes_total',
    ['check', 'error'],
    'Dependencies that went down in a worker, by the code of the error, or came back: none.',
  ),
  clusterWarnings: counter(
    'scale_cluster_warnings_total',
    [],
    'Things about workers that a person should look at.',
  ),
  clusterReloads: counter('scale_cluster_reloads_total', ['outcome'], 'Rolling reloads.'),
  clusterReloadDuration: histogram(
    'scale_cluster_reload_duration_seconds',
    [],
    slowBounds,
    'Duration of rolling reloads that succeeded.',
  ),
  shutdownDuration: histogram(
    'scale_shutdown_duration_seconds',
    ['phase'],
    slowBounds,
    'Drains of serving processes: the whole (all) and the hooks of each phase.',
  ),
  shutdownForced: counter(
    'scale_shutdown_forced_connections_total',
    [],
    'Connections cut because the drain took too long.',
  ),
}

/** Metrics of the event loop that prom-client's default metrics lack; also by `packageMetrics()`. */
export const runtimeCatalogue: Catalogue<never, 'loopUtilization', 'loopDelay'> = {
  loopDelay: histogram(
    'scale_eventloop_delay_seconds',
    [],
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    'How late timers of the event loop fire.',
  ),
  loopUtilization: gauge(
    'scale_eventloop_utilization_ratio',
    [],
    'worker',
    'Share of time that the event loop was busy since the last push, 0 to 1.',
  ),
}

/** Those of prom-client's default metrics that are drawn here. */
export const defaultMetrics: {
  readonly residentMemory: string
  readonly heapUsed: string
  readonly startTime: string
} = {
  residentMemory: 'process_resident_memory_bytes',
  heapUsed: 'nodejs_heap_size_used_bytes',
  startTime: 'process_start_time_seconds',
}

/** Metrics of `poolMetrics()`. */
export const poolCatalogue: Catalogue<never, 'size' | 'idle' | 'waiting' | 'max', never> = {
  size: gauge('scale_pool_connections', ['pool'], 'sum', 'Open connections of a pool.'),
  idle: gauge('scale_pool_idle_connections', ['pool'], 'sum', 'Connections that nobody uses.'),
  waiting: gauge('scale_pool_waiting_requests', ['pool'], 'sum', 'Callers that wait for a connection.'),
  max: gauge('scale_pool_max_connections', ['pool'], 'sum', 'How many connections the pool may open.'),
}

/** Metrics about the metrics; always there. */
export const selfCatalogue: Catalogue<'overflow', 'workers' | 'missing', never> = {
  workers: gauge('scale_metrics_workers', [], 'sum', 'Workers whose metrics are part of this answer.'),
  missing: gauge(
    'scale_metrics_workers_missing',
    [],
    'sum',
    'Workers that were asked and did not answer; their last word is part of this answer.',
  ),
  overflow: counter(
    'scale_metrics_overflow_total',
    ['metric'],
    'Measurements that went to the overflow series because the metric had too many series.',
  ),
}
