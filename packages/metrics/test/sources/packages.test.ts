import { spawnSync } from 'node:child_process'
import diagnostics from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { packageCatalogue } from '../../src/catalogue.js'
import { fleet, packageMetrics, poolMetrics } from '../../src/index.js'
import { seriesIn } from '../support/series.js'
import { seriesOf } from '../support/server.js'

function started(): Registry {
  const register = new Registry()
  onTestFinished(packageMetrics({ register }))
  return register
}

const decision = (violated: string[]) => ({
  source: 'store',
  policies: ['burst', 'day'].map((policy) => ({ policy, violated: violated.includes(policy) })),
})

const drained = {
  report: {
    tookMs: 1_500,
    connections: { forced: [{}, {}] },
    hooks: { ran: [{ phase: 'data', tookMs: 200 }] },
  },
}

describe('each channel is counted', () => {
  it.each<[channel: string, messages: object[], metric: string, series: Record<string, number>]>([
    [
      'redis:operation',
      [
        { operation: 'get', outcome: 'ok', durationMs: 2 },
        { operation: 'get', outcome: 'timeout', durationMs: 100 },
      ],
      'scale_redis_operation_duration_seconds',
      { 'operation="get",outcome="ok"': 1, 'operation="get",outcome="timeout"': 1 },
    ],
    [
      'redis:breaker',
      [
        { from: 'closed', to: 'open', cause: 'silent', node: '' },
        { from: 'closed', to: 'open', cause: 'lost', node: 'b' },
        { from: 'open', to: 'closed', cause: 'answered', node: '' },
      ],
      'scale_redis_breakers_open',
      { '': 1 },
    ],
    [
      'redis:late-reply',
      [{ operation: 'get', durationMs: 1 }],
      'scale_redis_late_replies_total',
      { 'operation="get"': 1 },
    ],
    ['redis:connection-error', [{ error: new Error('x') }], 'scale_redis_connection_errors_total', { '': 1 }],
    [
      'redis:invalidation',
      [{ armed: false }],
      'scale_redis_invalidation_changes_total',
      { 'state="lost"': 1 },
    ],
    [
      'session:created',
      [{ id: 'a', userId: 'b', by: 'login' }],
      'scale_session_created_total',
      { 'by="login"': 1 },
    ],
    [
      'session:renewed',
      [{ id: 'a', userId: 'b', by: 'age' }],
      'scale_session_renewed_total',
      { 'by="age"': 1 },
    ],
    [
      'session:destroyed',
      [{ id: 'a', by: 'destroy' }],
      'scale_session_destroyed_total',
      { 'by="destroy"': 1 },
    ],
    [
      'session:revoked',
      [{ userId: 'b', by: 'all', count: 3 }],
      'scale_session_revoked_total',
      { 'by="all"': 3 },
    ],
    ['session:refused', [{ reason: 'idle', id: 'a' }], 'scale_session_refused_total', { 'reason="idle"': 1 }],
    [
      'session:unreadable',
      [{ reason: 'json', keys: ['k'] }],
      'scale_session_unreadable_total',
      { 'reason="json"': 1 },
    ],
    [
      'session:conflict',
      [{ outcome: 'merged', keys: [] }],
      'scale_session_conflicts_total',
      { 'outcome="merged"': 1 },
    ],
    [
      'session:failure',
      [{ operation: 'load', error: 1 }],
      'scale_session_failures_total',
      { 'operation="load"': 1 },
    ],
    [
      'rate-limit:decision',
      [
        { limiter: 'api', refused: false, shadow: false, decision: decision([]) },
        { limiter: 'api', refused: true, shadow: false, decision: decision(['day']) },
        { limiter: 'api', refused: true, shadow: true, decision: decision(['burst']) },
      ],
      'scale_rate_limit_decisions_total',
      {
        'limiter="api",outcome="allowed",source="store"': 1,
        'limiter="api",outcome="refused",source="store"': 1,
        'limiter="api",outcome="shadowed",source="store"': 1,
      },
    ],
    [
      'rate-limit:decision',
      [{ limiter: 'api', refused: true, shadow: false, decision: decision(['day']) }],
      'scale_rate_limit_violations_total',
      { 'limiter="api",policy="day"': 1 },
    ],
    [
      'rate-limit:store-error',
      [{ limiter: 'api', operation: 'consume', error: 1 }],
      'scale_rate_limit_store_errors_total',
      { 'limiter="api",operation="consume"': 1 },
    ],
    [
      'cache:read',
      [
        { cache: 'c', outcome: 'hit', layer: 'l1', collapsed: false },
        { cache: 'c', outcome: 'miss', layer: undefined, collapsed: true },
      ],
      'scale_cache_reads_total',
      { 'cache="c",outcome="hit",layer="l1"': 1, 'cache="c",outcome="miss"': 1 },
    ],
    [
      'cache:read',
      [{ cache: 'c', outcome: 'miss', collapsed: true }],
      'scale_cache_collapsed_total',
      { 'cache="c"': 1 },
    ],
    [
      'cache:load',
      [{ cache: 'c', outcome: 'stored', durationMs: 20 }],
      'scale_cache_load_duration_seconds',
      { 'cache="c",outcome="stored"': 1 },
    ],
    [
      'cache:corrupt',
      [{ cache: 'c', reason: 'codec' }],
      'scale_cache_corrupt_total',
      { 'cache="c",reason="codec"': 1 },
    ],
    [
      'cache:store-error',
      [{ cache: 'c', operation: 'read', error: 1 }],
      'scale_cache_store_errors_total',
      { 'cache="c",operation="read"': 1 },
    ],
    [
      'cache:invalidation',
      [{ cache: 'c', kind: 'tags', count: 2, acknowledged: true }],
      'scale_cache_invalidations_total',
      { 'cache="c",kind="tags",acknowledged="true"': 2 },
    ],
    [
      'auth:refused',
      [{ reason: 'expired', issuer: 'a' }],
      'scale_auth_refused_total',
      { 'reason="expired"': 1 },
    ],
    [
      'auth:key-set',
      [
        { url: 'https://a.example/jwks', outcome: 'loaded', keys: 2, durationMs: 20 },
        { url: 'https://a.example/jwks', outcome: 'failed', keys: 0, durationMs: 3_000, error: 1 },
      ],
      'scale_auth_key_set_duration_seconds',
      {
        'url="https://a.example/jwks",outcome="loaded"': 1,
        'url="https://a.example/jwks",outcome="failed"': 1,
      },
    ],
    [
      'auth:introspection',
      [
        { url: 'https://a.example/introspect', outcome: 'active', durationMs: 20 },
        { url: 'https://a.example/introspect', outcome: 'failed', durationMs: 3_000, error: 1 },
      ],
      'scale_auth_introspection_duration_seconds',
      {
        'url="https://a.example/introspect",outcome="active"': 1,
        'url="https://a.example/introspect",outcome="failed"': 1,
      },
    ],
    ['auth:issued', [{ id: 'a', userId: 'b' }], 'scale_auth_issued_total', { '': 1 }],
    [
      'auth:refreshed',
      [
        { id: 'a', userId: 'b', repeated: false },
        { id: 'a', userId: 'b', repeated: true },
      ],
      'scale_auth_refreshed_total',
      { 'repeated="false"': 1, 'repeated="true"': 1 },
    ],
    ['auth:reuse', [{ id: 'a', userId: 'b' }], 'scale_auth_reuse_total', { '': 1 }],
    ['auth:revoked', [{ what: 'user', userId: 'b' }], 'scale_auth_revoked_total', { 'what="user"': 1 }],
    [
      'auth:revocation-failure',
      [{ decision: 'reject', error: 1 }],
      'scale_auth_revocation_failures_total',
      { 'decision="reject"': 1 },
    ],
    [
      'auth:replay-failure',
      [{ decision: 'accept', error: 1 }],
      'scale_auth_replay_failures_total',
      { 'decision="accept"': 1 },
    ],
    ['logger:dropped', [{ lines: 3, bytes: 300 }], 'scale_logger_dropped_lines_total', { '': 3 }],
    [
      'cluster:check',
      [
        { workerId: 1, check: { name: 'database', ok: false, required: true, error: 'ECONNREFUSED' } },
        { workerId: 2, check: { name: 'database', ok: false, required: true, error: 'ECONNREFUSED' } },
        { workerId: 1, check: { name: 'database', ok: true, required: true } },
      ],
      'scale_cluster_check_changes_total',
      { 'check="database",error="ECONNREFUSED"': 2, 'check="database",error="none"': 1 },
    ],
    ['cluster:warning', [{ workerId: 1, message: 'x' }], 'scale_cluster_warnings_total', { '': 1 }],
    [
      'errors:failure',
      [{ error: new Error('secret'), status: 500, code: 'ERR_X', outcome: 'answered', method: 'GET' }],
      'scale_errors_failures_total',
      { 'code="ERR_X",outcome="answered"': 1 },
    ],
    [
      'errors:fatal',
      [{ error: 1, origin: 'drain', willDrain: true }],
      'scale_errors_fatal_total',
      { 'origin="drain"': 1 },
    ],
    [
      'validate:rejected',
      [{ code: 'ERR_Y', status: 422 }],
      'scale_validate_rejected_total',
      { 'code="ERR_Y"': 1 },
    ],
    [
      'overload:admission',
      [
        { admission: 'app', priority: 1, waitedMs: 0, refusal: undefined },
        { admission: 'app', priority: 2, waitedMs: 12, refusal: 'late' },
      ],
      'scale_overload_requests_total',
      {
        'admission="app",priority="1",outcome="admitted"': 1,
        'admission="app",priority="2",outcome="late"': 1,
      },
    ],
    [
      'overload:limit',
      [
        { admission: 'app', limit: 20 },
        { admission: 'app', limit: 7 },
      ],
      'scale_overload_limit',
      { 'admission="app"': 7 },
    ],
    [
      'config:reload',
      [
        { outcome: 'ok', changed: ['PASSWORD'], error: undefined },
        { outcome: 'invalid', changed: ['PASSWORD'], error: new Error('too short') },
      ],
      'scale_config_reloads_total',
      { 'outcome="ok"': 1, 'outcome="invalid"': 1 },
    ],
    [
      'jobs:run',
      [
        {
          queue: 'mails',
          id: '1',
          outcome: 'retry',
          attempt: 1,
          durationMs: 12,
          error: new Error('no route'),
        },
        { queue: 'mails', id: '1', outcome: 'ok', attempt: 2, durationMs: 12, error: undefined },
      ],
      'scale_jobs_run_duration_seconds',
      { 'queue="mails",outcome="retry"': 1, 'queue="mails",outcome="ok"': 1 },
    ],
    [
      'jobs:relay',
      [
        { moved: 3, error: undefined },
        { moved: 0, error: new Error('away') },
      ],
      'scale_jobs_relayed_total',
      { '': 3 },
    ],
    ['jobs:relay', [{ moved: 0, error: new Error('away') }], 'scale_jobs_relay_failures_total', { '': 1 }],
    [
      'workers:task',
      [{ pool: 'reports', task: 'render', outcome: 'ok', waitedMs: 0, durationMs: 1 }],
      'scale_workers_tasks_total',
      { 'pool="reports",outcome="ok"': 1 },
    ],
    [
      'workers:thread',
      [{ pool: 'reports', thread: 0, event: 'died' }],
      'scale_workers_threads_total',
      { 'pool="reports",event="died"': 1 },
    ],
    [
      'workers:utilization',
      [{ pool: 'reports', thread: 1, utilization: 0.5 }],
      'scale_workers_utilization',
      { 'pool="reports",thread="1"': 0.5 },
    ],
    [
      'resilience:call',
      [
        { policy: 'api', outcome: 'ok', fallback: false, tries: 3, hedges: 1, durationMs: 1 },
        { policy: 'api', outcome: 'open', fallback: true, tries: 0, hedges: 0, durationMs: 1 },
      ],
      'scale_resilience_calls_total',
      {
        'policy="api",outcome="ok",fallback="false"': 1,
        'policy="api",outcome="open",fallback="true"': 1,
      },
    ],
    [
      'resilience:call',
      [{ policy: 'sql', outcome: 'ok', fallback: false, tries: 4, hedges: 1, durationMs: 1 }],
      'scale_resilience_repetitions_total',
      { 'policy="sql",kind="hedge"': 1, 'policy="sql",kind="retry"': 2 },
    ],
    [
      'resilience:breaker',
      [
        { policy: 'api', state: 'open', calls: 20, failures: 20 },
        { policy: 'sql', state: 'closed', calls: 0, failures: 0 },
      ],
      'scale_resilience_breaker_open',
      { 'policy="api"': 1, 'policy="sql"': 0 },
    ],
    [
      'resilience:stale-failure',
      [{ policy: 'api', operation: 'get' }],
      'scale_resilience_stale_failures_total',
      { 'policy="api",operation="get"': 1 },
    ],
    [
      'validate:response-failure',
      [{ mode: 'strip', status: 200 }],
      'scale_validate_response_failures_total',
      { 'mode="strip"': 1 },
    ],
    [
      'cluster:worker',
      [
        { workerId: 1, pid: 11, state: 'booting' },
        { workerId: 1, pid: 11, state: 'ready' },
        { workerId: 2, pid: 12, state: 'ready' },
        { workerId: 1, pid: 11, state: 'draining' },
        { workerId: 1, pid: 13, state: 'ready' },
        { workerId: 1, pid: 11, state: 'exited' },
      ],
      'scale_cluster_workers',
      { 'state="booting"': 0, 'state="ready"': 2, 'state="draining"': 0 },
    ],
    [
      'cluster:respawn',
      [{ workerId: 1, during: 'run' }],
      'scale_cluster_worker_restarts_total',
      { 'reason="run"': 1 },
    ],
    [
      'cluster:recycle',
      [{ workerId: 1, reason: 'age' }],
      'scale_cluster_worker_restarts_total',
      { 'reason="recycle"': 1 },
    ],
    [
      'cluster:breaker',
      [{ state: 'open' }, { state: 'open' }, { state: 'closed' }],
      'scale_cluster_breakers_open',
      { '': 1 },
    ],
    [
      'cluster:readiness',
      [{ ready: true }, { ready: false }, { ready: true }],
      'scale_cluster_ready',
      { '': 1 },
    ],
    [
      'cluster:reload',
      [{ state: 'started' }, { state: 'done', tookMs: 2_000 }, { state: 'failed', tookMs: 1 }],
      'scale_cluster_reloads_total',
      { 'outcome="done"': 1, 'outcome="failed"': 1 },
    ],
    [
      'cluster:reload',
      [{ state: 'done', tookMs: 2_000 }],
      'scale_cluster_reload_duration_seconds',
      { '': 1 },
    ],
    [
      'cluster:drained',
      [drained],
      'scale_shutdown_duration_seconds',
      { 'phase="all"': 1, 'phase="data"': 1 },
    ],
    ['cluster:drained', [drained], 'scale_shutdown_forced_connections_total', { '': 2 }],
    [
      'redis:breaker',
      [{ from: 'closed', to: 'open' }],
      'scale_redis_breaker_changes_total',
      { 'to="open"': 1 },
    ],
  ])('scale:%s', async (channel, messages, metric, series) => {
    const register = started()
    for (const message of messages) diagnostics.channel(`scale:${channel}`).publish(message)
    expect(await seriesOf(register, metric)).toEqual(series)
    seen.add(metric)
  })

  const seen = new Set<string>()

  it('and none of the catalogue is without a test', () => {
    const names = Object.values(packageCatalogue).map(({ name }) => name)
    expect(names.filter((name) => !seen.has(name))).toEqual([])
  })
})

describe('no channel of any package is forgotten', () => {
  /** Published, and not counted. */
  const uncounted: Record<string, string> = {
    'scale:cluster:decided': 'said once at the start: the gauge of workers shows the same',
    'scale:cluster:ready': 'the gauge of workers shows it',
    'scale:cluster:scaled': 'the gauge of workers shows it',
    'scale:cluster:heartbeat': 'each process measures itself',
    'scale:cluster:stopping': 'the end of the drain is counted',
    'scale:session:opened': 'operations of Redis are timed by their names, and refusals are counted',
  }
  const packages = fileURLToPath(new URL('../../..', import.meta.url))
  const sources = readdirSync(packages, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^[\w-]+\/src\/.*\.ts$/.test(file),
  )
  const channels = sources.flatMap((file) =>
    [...readFileSync(join(packages, file), 'utf8').matchAll(/channel(?:<\w+>)?\(\s*'(scale:[\w:-]+)'/g)].map(
      ([, name]) => name!,
    ),
  )

  it('of those in the sources', () => {
    expect(channels.length).toBeGreaterThan(40)
    started()
    const forgotten = channels.filter((name) => !diagnostics.channel(name).hasSubscribers)
    expect(forgotten.sort()).toEqual(Object.keys(uncounted).sort())
  })
})

it('nothing of a message becomes a label but names and outcomes', async () => {
  const register = started()
  const secret = 'hunter2'
  const publish = (name: string, message: object): void => diagnostics.channel(name).publish(message)
  publish('scale:session:created', { id: secret, userId: secret, by: 'login' })
  publish('scale:errors:failure', {
    error: new Error(secret),
    code: 'ERR_X',
    outcome: 'cut',
    requestId: secret,
  })
  publish('scale:cache:load', { cache: 'c', outcome: 'failed', durationMs: 1, error: new Error(secret) })
  expect(JSON.stringify(await fleet({ register }).snapshot())).not.toContain(secret)
})

it('a second call changes nothing, and nothing is counted after the end', async () => {
  const register = new Registry()
  const stop = packageMetrics({ register })
  expect(packageMetrics({ register })).toBe(stop)
  const channel = diagnostics.channel('scale:session:created')
  channel.publish({ by: 'login' })
  stop()
  channel.publish({ by: 'login' })
  expect(await seriesOf(register, 'scale_session_created_total')).toEqual({ 'by="login"': 1 })
})

describe('the process', () => {
  it('is measured: a blocked event loop is in the buckets where it belongs', async () => {
    const register = started()
    await fleet({ register }).snapshot()
    // Some turns for Node's timer to begin with.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const until = performance.now() + 300
    while (performance.now() < until);
    await expect
      .poll(async () => {
        const { bounds, series } = (await fleet({ register }).snapshot()).find(
          ({ name }) => name === 'scale_eventloop_delay_seconds',
        )!
        return bounds.filter((bound, index) => bound >= 0.25 && series[0]!.values[index]! > 0)
      })
      .toEqual([0.5])
    const families = await fleet({ register }).snapshot()
    expect(seriesIn(families, 'process_cpu_user_seconds_total')['']).toBeGreaterThan(0)
    expect(seriesIn(families, 'process_resident_memory_bytes')['']).toBeGreaterThan(1e7)
    expect(seriesIn(families, 'process_start_time_seconds')['']).toBeCloseTo(
      performance.timeOrigin / 1_000,
      0,
    )
    expect(seriesIn(families, 'scale_eventloop_utilization_ratio')['']).toBeLessThanOrEqual(1)
  })

  it('is not kept from ending', () => {
    const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
    const program = `import(${JSON.stringify(index)}).then((m) => { m.packageMetrics(); m.httpMetrics(); m.metricsHandler() })`
    const args = ['--conditions=@scale/source', '--import', 'tsx', '-e', program]
    const { status, signal } = spawnSync(process.execPath, args, { timeout: 20_000 })
    expect({ status, signal }).toEqual({ status: 0, signal: null })
  })
})

it('a pool is shown as it is when it is read; one that fails as it was', async () => {
  const register = new Registry()
  let size = 1
  const stop = poolMetrics(
    'pg',
    () => {
      if (size > 2) throw new Error('closed')
      return { size, idle: 0 }
    },
    { register },
  )
  size = 2
  expect(await seriesOf(register, 'scale_pool_connections')).toEqual({ 'pool="pg"': 2 })
  size = 3
  expect(await seriesOf(register, 'scale_pool_connections')).toEqual({ 'pool="pg"': 2 })
  expect(await seriesOf(register, 'scale_pool_waiting_requests')).toEqual({})
  stop()
})
