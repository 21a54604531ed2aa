import diagnostics from 'node:diagnostics_channel'
import { Server } from 'node:net'
import { trackConnections } from '../drain/connections.js'
import { type DrainReport, drain } from '../drain/drain.js'
import { NoServer } from '../errors.js'
import type { Heartbeat } from '../messages.js'
import type { ResolvedClusterOptions, StartContext } from '../options.js'
import { appDone, passOn, type StopSignal } from '../process/app-signals.js'
import { type Listening, listenChannel } from '../process/node-internals.js'
import { HealthMonitor } from './health.js'
import { fitKeepAlive } from './keep-alive.js'
import { LifecycleRegistry, type StopReport } from './lifecycle.js'

/** How one process ended. */
export interface EndReport {
  connections: DrainReport
  hooks: StopReport
  tookMs: number
  /** True if every answer was given and every hook ran. */
  clean: boolean
  /** If not: what still keeps this process busy, as `process.getActiveResourcesInfo` names it. */
  activeResources: string[]
}

/** One line: how long it took, what was cut, which hooks failed. */
export function describeEnd({ connections, hooks, tookMs }: EndReport): string {
  const cut = connections.forced.map(
    ({ kind, route, ageMs }) => `${kind} ${route} after ${Math.round(ageMs / 1_000)} s`,
  )
  const failed = hooks.failed.map(({ name, reason }) => `${name} (${reason})`)
  return [
    `drained in ${Math.round(tookMs)} ms`,
    ...(cut.length > 0 ? [`cut ${cut.length}: ${cut.slice(0, 10).join(', ')}`] : []),
    ...(failed.length > 0 ? [`hooks failed: ${failed.join(', ')}`] : []),
  ].join('; ')
}

/** Hooks run after the connections: this share of the total is kept for them, at most 5 s. */
const HOOK_SHARE = 0.2
const HOOK_SHARE_MAX_MS = 5_000

/** A process that serves: a worker, or the only process of all. */
export class ServingProcess {
  readonly lifecycle: LifecycleRegistry = new LifecycleRegistry()
  readonly health: HealthMonitor
  private servers: readonly Server[] = []
  private readonly end = new AbortController()
  private ending: Promise<EndReport> | undefined

  constructor(
    private readonly options: ResolvedClusterOptions,
    onHealthChange: () => void,
    private readonly warn: (message: string) => void,
  ) {
    this.health = new HealthMonitor(
      this.lifecycle,
      options.health,
      () => this.servers.length > 0 && this.servers.every(({ listening }) => listening),
      onHealthChange,
    )
  }

  /**
   * From nothing to ready: `start`, listening, every required dependency up.
   *
   * @throws whatever `start` throws, or a server's listen error
   */
  async boot(context: Pick<StartContext, 'workerId' | 'workers'>, onListening: () => void): Promise<void> {
    // An end that comes before `start` has returned finds what listens by then.
    const opened: Server[] = []
    this.servers = opened
    const stopTracking = trackFromListen((server) => opened.push(server))
    try {
      const { lifecycle } = this
      this.servers = serversOf(await this.options.start({ ...context, lifecycle, signal: this.end.signal }))
      for (const server of this.servers) trackConnections(server)
      await Promise.all(this.servers.map(untilListening))
    } finally {
      stopTracking()
    }
    fitKeepAlive(this.servers, this.options.loadBalancerIdleMs).forEach(this.warn)
    onListening()
    await this.health.start(this.lifecycle.draining)
  }

  /** What the servers are busy with. */
  get traffic(): Pick<Heartbeat, 'inFlight' | 'connections' | 'requests'> {
    const trackers = this.servers.map(trackConnections)
    const sum = (of: (tracker: (typeof trackers)[number]) => number): number =>
      trackers.reduce((total, tracker) => total + of(tracker), 0)
    return {
      inFlight: sum(({ inFlight }) => inFlight),
      connections: sum(({ size }) => size),
      requests: sum(({ requests }) => requests),
    }
  }

  /**
   * Drains, after `delayMs` or `acceptUntil`, then runs the hooks, all within `timeoutMs`. The app's own listeners hear of it first; an app
   * that is not ours then ends itself. A second call returns the first one's end.
   */
  drain(
    signal: StopSignal,
    delayMs: number,
    timeoutMs: number,
    acceptUntil?: Promise<void>,
  ): Promise<EndReport> {
    this.ending ??= this.drainOnce(signal, delayMs, timeoutMs, acceptUntil)
    return this.ending
  }

  private async drainOnce(
    signal: StopSignal,
    delayMs: number,
    timeoutMs: number,
    acceptUntil: Promise<void> | undefined,
  ): Promise<EndReport> {
    const startedAt = performance.now()
    const until = (): number => startedAt + timeoutMs - performance.now()
    const endsItself = passOn(signal) && this.options.isUnchanged
    this.lifecycle.beginDrain()
    this.health.stop()
    const connectionsMs = Math.round(timeoutMs - Math.min(HOOK_SHARE_MAX_MS, timeoutMs * HOOK_SHARE))
    const connections = await drain(this.servers, {
      delayMs: Math.min(delayMs, connectionsMs),
      ...(acceptUntil === undefined ? {} : { acceptUntil }),
      lingerMs: this.options.drain.lingerMs,
      spreadMs: this.options.drain.spreadMs,
      timeoutMs: connectionsMs,
      onAbort: () => this.end.abort(),
      closeUpgraded: this.options.drain.closeUpgraded,
    })
    this.end.abort()
    const hooks = await this.lifecycle.stop(until())
    if (endsItself && !(await appDone(Math.max(0, until())))) {
      hooks.failed.push({ name: `the app's own ${signal}`, phase: 'logs', reason: 'timeout' })
    }
    const clean = connections.forced.length === 0 && hooks.failed.length === 0
    const activeResources = clean ? [] : process.getActiveResourcesInfo()
    return { connections, hooks, tookMs: performance.now() - startedAt, clean, activeResources }
  }
}

/** A server that listens before `start` returns may have connections by then: it is tracked from its `listen` on. */
function trackFromListen(onServer: (server: Server) => void): () => void {
  const onListen = (message: unknown): void => {
    const { server } = message as Listening
    trackConnections(server)
    onServer(server)
  }
  diagnostics.subscribe(listenChannel, onListen)
  return () => diagnostics.unsubscribe(listenChannel, onListen)
}

function serversOf(returned: unknown): readonly Server[] {
  const servers = Array.isArray(returned) ? returned : [returned]
  if (servers.length > 0 && servers.every((server) => server instanceof Server)) return servers
  throw new NoServer('`start` must return the server that listens (what `app.listen` returns), or several.')
}

function untilListening(server: Server): Promise<void> {
  if (server.listening) return Promise.resolve()
  return new Promise((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
}
