import {
  type GaugeDefinition,
  type HistogramDefinition,
  type MetricDefinition,
  packageCatalogue,
} from '../catalogue.js'
import { fleetOf, type ProcessFleet } from '../fleet/fleet.js'
import { type PackageMetricsOptions, resolvePackageMetricsOptions } from '../options.js'
import type { CounterSeries, GaugeSeries, HistogramSeries, Instrument } from '../series/family.js'
import { collectDefaults, measureLoop } from './runtime.js'
import { type Listeners, subscribeAll } from './subscriptions.js'

const running = new WeakMap<ProcessFleet, () => void>()

/**
 * Turns what the packages publish on their channels into metrics, and measures the event loop, CPU and memory of this
 * process. Call it once in every process: in each worker, and in the primary for what concerns the workers.
 *
 * A second call for the same register changes nothing. The default metrics of prom-client go on when the rest has ended.
 *
 * @returns a function that ends it
 * @throws {InvalidOption}
 * @throws {MetricConflict} the register has a metric of one of these names
 */
export function packageMetrics(options?: PackageMetricsOptions): () => void {
  const { register, defaultMetrics } = resolvePackageMetricsOptions(options)
  const fleet = fleetOf({ register })
  const known = running.get(fleet)
  if (known !== undefined) return known
  if (defaultMetrics) collectDefaults(fleet)
  const stops = [measureLoop(fleet), subscribeAll(listenersFor(instrumentsOf(fleet)))]
  const stop = (): void => {
    running.delete(fleet)
    for (const one of stops) one()
  }
  running.set(fleet, stop)
  return stop
}

type Instruments = {
  readonly [Key in keyof typeof packageCatalogue]: InstrumentOf<(typeof packageCatalogue)[Key]>
}

type InstrumentOf<Definition> = Definition extends HistogramDefinition
  ? Instrument<HistogramSeries>
  : Definition extends GaugeDefinition
    ? Instrument<GaugeSeries>
    : Instrument<CounterSeries>

function instrumentsOf(fleet: ProcessFleet): Instruments {
  const entries = Object.entries<MetricDefinition>(packageCatalogue)
  return Object.fromEntries(entries.map(([key, definition]) => [key, fleet.make(definition)])) as never
}

function listenersFor(metrics: Instruments): Listeners {
  return {
    ...redis(metrics),
    ...session(metrics),
    ...quotas(metrics),
    ...cache(metrics),
    ...auth(metrics),
    ...logger(metrics),
    ...requests(metrics),
    ...overload(metrics),
    ...resilience(metrics),
    ...workers(metrics),
    ...config(metrics),
    ...jobs(metrics),
    ...cluster(metrics),
  }
}

type Part<Prefix extends string> = Pick<Listeners, Extract<keyof Listeners, `scale:${Prefix}:${string}`>>

function redis(m: Instruments): Part<'redis'> {
  return {
    'scale:redis:operation': ({ operation, outcome, durationMs }) =>
      m.redisOperation.with(operation, outcome).observe(durationMs / 1_000),
    'scale:redis:breaker': ({ from, to }) => {
      m.redisBreakerChanges.with(to).add()
      if (from === 'closed') m.redisBreakersOpen.with().add(1)
      if (to === 'closed') m.redisBreakersOpen.with().add(-1)
    },
    'scale:redis:late-reply': ({ operation }) => m.redisLateReplies.with(operation).add(),
    'scale:redis:connection-error': () => m.redisConnectionErrors.with().add(),
    'scale:redis:invalidation': ({ armed }) => m.redisInvalidation.with(armed ? 'armed' : 'lost').add(),
  }
}

function session(m: Instruments): Part<'session'> {
  return {
    'scale:session:created': ({ by }) => m.sessionCreated.with(by).add(),
    'scale:session:renewed': ({ by }) => m.sessionRenewed.with(by).add(),
    'scale:session:destroyed': ({ by }) => m.sessionDestroyed.with(by).add(),
    'scale:session:revoked': ({ by, count }) => m.sessionRevoked.with(by).add(count),
    'scale:session:refused': ({ reason }) => m.sessionRefused.with(reason).add(),
    'scale:session:unreadable': ({ reason }) => m.sessionUnreadable.with(reason).add(),
    'scale:session:conflict': ({ outcome }) => m.sessionConflicts.with(outcome).add(),
    'scale:session:failure': ({ operation }) => m.sessionFailures.with(operation).add(),
  }
}

function quotas(m: Instruments): Part<'rate-limit'> {
  return {
    'scale:rate-limit:decision': ({ limiter, refused, shadow, decision }) => {
      const outcome = !refused ? 'allowed' : shadow ? 'shadowed' : 'refused'
      m.rateLimitDecisions.with(limiter, outcome, decision.source).add()
      if (!refused) return
      for (const { policy, violated } of decision.policies) {
        if (violated) m.rateLimitViolations.with(limiter, policy).add()
      }
    },
    'scale:rate-limit:store-error': ({ limiter, operation }) =>
      m.rateLimitStoreErrors.with(limiter, operation).add(),
  }
}

function cache(m: Instruments): Part<'cache'> {
  return {
    'scale:cache:read': ({ cache, outcome, layer = '', collapsed }) => {
      m.cacheReads.with(cache, outcome, layer).add()
      if (collapsed) m.cacheCollapsed.with(cache).add()
    },
    'scale:cache:load': ({ cache, outcome, durationMs }) =>
      m.cacheLoads.with(cache, outcome).observe(durationMs / 1_000),
    'scale:cache:corrupt': ({ cache, reason }) => m.cacheCorrupt.with(cache, reason).add(),
    'scale:cache:store-error': ({ cache, operation }) => m.cacheStoreErrors.with(cache, operation).add(),
    'scale:cache:invalidation': ({ cache, kind, count, acknowledged }) =>
      m.cacheInvalidations.with(cache, kind, String(acknowledged)).add(count),
  }
}

function auth(m: Instruments): Part<'auth'> {
  return {
    'scale:auth:refused': ({ reason }) => m.authRefused.with(reason).add(),
    'scale:auth:key-set': ({ url, outcome, durationMs }) =>
      m.authKeySet.with(url, outcome).observe(durationMs / 1_000),
    'scale:auth:introspection': ({ url, outcome, durationMs }) =>
      m.authIntrospection.with(url, outcome).observe(durationMs / 1_000),
    'scale:auth:issued': () => m.authIssued.with().add(),
    'scale:auth:refreshed': ({ repeated }) => m.authRefreshed.with(String(repeated)).add(),
    'scale:auth:reuse': () => m.authReuse.with().add(),
    'scale:auth:revoked': ({ what }) => m.authRevoked.with(what).add(),
    'scale:auth:revocation-failure': ({ decision }) => m.authRevocationFailures.with(decision).add(),
    'scale:auth:replay-failure': ({ decision }) => m.authReplayFailures.with(decision).add(),
  }
}

function logger(m: Instruments): Part<'logger'> {
  return { 'scale:logger:dropped': ({ lines }) => m.loggerDropped.with().add(lines) }
}

function requests(m: Instruments): Part<'errors' | 'validate'> {
  return {
    'scale:errors:failure': ({ code, outcome }) => m.errorsFailures.with(code, outcome).add(),
    'scale:errors:fatal': ({ origin }) => m.errorsFatal.with(origin).add(),
    'scale:validate:rejected': ({ code }) => m.validateRejected.with(code).add(),
    'scale:validate:response-failure': ({ mode }) => m.validateResponses.with(mode).add(),
  }
}

function overload(m: Instruments): Part<'overload'> {
  return {
    'scale:overload:admission': ({ admission, priority, refusal = 'admitted' }) =>
      m.overloadRequests.with(admission, String(priority), refusal).add(),
    'scale:overload:limit': ({ admission, limit }) => m.overloadLimit.with(admission).set(limit),
  }
}

function resilience(m: Instruments): Part<'resilience'> {
  return {
    'scale:resilience:call': ({ policy, outcome, fallback, tries, hedges }) => {
      m.resilienceCalls.with(policy, outcome, String(fallback)).add()
      if (hedges > 0) m.resilienceRepetitions.with(policy, 'hedge').add(hedges)
      const retries = tries - hedges - 1
      if (retries > 0) m.resilienceRepetitions.with(policy, 'retry').add(retries)
    },
    'scale:resilience:breaker': ({ policy, state }) =>
      m.resilienceBreakersOpen.with(policy).set(state === 'closed' ? 0 : 1),
    'scale:resilience:stale-failure': ({ policy, operation }) =>
      m.resilienceStaleFailures.with(policy, operation).add(),
  }
}

function workers(m: Instruments): Part<'workers'> {
  return {
    'scale:workers:task': ({ pool, outcome }) => m.workersTasks.with(pool, outcome).add(),
    'scale:workers:thread': ({ pool, event }) => m.workersThreads.with(pool, event).add(),
    'scale:workers:utilization': ({ pool, thread, utilization }) =>
      m.workersUtilization.with(pool, String(thread)).set(utilization),
  }
}

function config(m: Instruments): Part<'config'> {
  return { 'scale:config:reload': ({ outcome }) => m.configReloads.with(outcome).add() }
}

function jobs(m: Instruments): Part<'jobs'> {
  return {
    'scale:jobs:run': ({ queue, outcome, durationMs }) =>
      m.jobsRuns.with(queue, outcome).observe(durationMs / 1_000),
    'scale:jobs:relay': ({ moved, error }) => {
      if (error === undefined) m.jobsRelayed.with().add(moved)
      else m.jobsRelayFailures.with().add()
    },
  }
}

function cluster(m: Instruments): Part<'cluster'> {
  const states = new Map<number | string, string>()
  return {
    'scale:cluster:worker': ({ workerId, pid, state }) => {
      // A worker and its replacement have one number: the process is what has a state.
      const key = pid ?? `worker ${workerId}`
      const before = states.get(key)
      if (before !== undefined) m.clusterWorkers.with(before).add(-1)
      if (state === 'exited') states.delete(key)
      else {
        states.set(key, state)
        m.clusterWorkers.with(state).add(1)
      }
    },
    'scale:cluster:respawn': ({ during }) => m.clusterRestarts.with(during).add(),
    'scale:cluster:recycle': () => m.clusterRestarts.with('recycle').add(),
    'scale:cluster:breaker': ({ state }) => m.clusterHeld.with().add(state === 'open' ? 1 : -1),
    'scale:cluster:readiness': ({ ready }) => m.clusterReady.with().add(ready ? 1 : -1),
    'scale:cluster:check': ({ check: { name, ok, error = 'unknown' } }) =>
      m.clusterChecks.with(name, ok ? 'none' : error).add(),
    'scale:cluster:warning': () => m.clusterWarnings.with().add(),
    'scale:cluster:reload': ({ state, tookMs }) => {
      if (state === 'started') return
      m.clusterReloads.with(state).add()
      if (tookMs !== undefined && state === 'done') m.clusterReloadDuration.with().observe(tookMs / 1_000)
    },
    'scale:cluster:drained': ({ report }) => {
      m.shutdownDuration.with('all').observe(report.tookMs / 1_000)
      for (const { phase, tookMs } of report.hooks.ran) m.shutdownDuration.with(phase).observe(tookMs / 1_000)
      m.shutdownForced.with().add(report.connections.forced.length)
    },
  }
}
