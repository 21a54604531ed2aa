import type { Mode } from '../../src/algorithms/bound.js'
import { countedWindowMs } from '../../src/algorithms/bound.js'
import { createQuota, type Quota } from '../../src/algorithms/quota.js'
import type { Charge, QuotaStore, Settlement, StoreReply } from '../../src/store.js'
import { LeasedStore } from '../../src/stores/leased.js'
import { LocalStore } from '../../src/stores/local.js'
import { MemoryStore } from '../../src/stores/memory.js'
import type { Random } from '../random.js'
import type { Arrival } from './arrivals.js'
import type { Admitted } from './oracle.js'

/** What happens to the store on the way. */
export interface Faults {
  /** The store's clock steps by so much each window, in ms. */
  readonly clockStepMs?: number
  /** Each window the primary is lost, and the replica that takes over lags behind by so much, in ms. */
  readonly lagMs?: number
}

/** What requests, administrators and deployments do meanwhile. */
export interface Life {
  /** Costs are corrected once they are known, of those who wait for their answer; sometimes when the window is over. */
  readonly settles?: boolean
  /** Twice a window, for up to a quarter of it. */
  readonly penalties?: boolean
  /** Five rounds, of one process after the other. */
  readonly restarts?: boolean
}

export interface Run {
  readonly quota: Quota
  readonly mode: Mode
  readonly processes: number
  readonly leaseMs: number
  readonly arrivals: readonly Arrival[]
  readonly faults: Faults
  readonly life?: Life
  /** What is counted instead of the quota that the arrivals are made for. Default: the same */
  readonly counted?: Quota
  readonly rng: Random
}

/** What came of a run. */
export interface Result {
  readonly admitted: Admitted[]
  /** Commands that reached the shared store. */
  readonly trips: number
  /** Units that the replica knew nothing of, of the worst fail-over of a window. */
  readonly lost: number
  /** Units that the store says are left in the end, when all processes have ended. */
  readonly left: number
  /** Units that requests have come to, those beyond what was taken at first included. */
  readonly spent: number
  /** From when until when everything was to be refused, by the store. */
  readonly penalties: readonly { from: number; until: number }[]
}

const KEY = 'subject'

/** Several processes with one shared store behind a network, in simulated time. */
export async function simulate(run: Run): Promise<Result> {
  const world = new World(run)
  await world.play()
  return world
}

class World implements Result {
  readonly admitted: Admitted[] = []
  readonly penalties: { from: number; until: number }[] = []
  trips = 0
  lost = 0
  left = 0
  spent = 0
  now = 0
  readonly #run: Run
  readonly #counted: Quota
  readonly #events: { at: number; order: number; act: () => void }[] = []
  #order = 0
  #clockOffset = 0
  #primary: MemoryStore
  /** What has been executed, to be executed again by a replica up to its lag. */
  #log: { at: number; act: (store: MemoryStore) => void; units: number }[] = []
  #storeNow = 0

  constructor(run: Run) {
    this.#run = run
    this.#counted = createQuota('simulated', {
      ...(run.counted ?? run.quota),
      windowMs: countedWindowMs(run.counted ?? run.quota, run),
    })
    this.#primary = new MemoryStore({ clock: () => this.#storeNow })
  }

  async play(): Promise<void> {
    const { arrivals, quota, faults, mode, leaseMs } = this.#run
    const ends = arrivals.at(-1)!.at
    const stores = Array.from({ length: this.#run.processes }, () => this.#startProcess())
    for (const arrival of arrivals)
      this.#at(arrival.at, () => this.#arrive(stores[arrival.process]!, arrival))
    this.#live(stores, ends)
    for (let at = quota.windowMs / 2; at < ends; at += quota.windowMs) {
      if (faults.clockStepMs !== undefined) {
        this.#at(at, () => {
          this.#clockOffset += faults.clockStepMs!
        })
      }
      if (faults.lagMs !== undefined) this.#at(at, () => this.#failOver(faults.lagMs!))
    }
    if (mode === 'leased') {
      for (let at = leaseMs; at < ends; at += leaseMs) {
        this.#at(at, () => {
          for (const { store } of stores) (store as LeasedStore).sweep()
        })
      }
    }
    await this.#passTime()
    for (const { store } of stores) if (store instanceof LeasedStore) store.close()
    await this.#passTime()
    this.#storeNow = Math.max(this.now, ...this.penalties.map(({ until }) => until))
    this.left = this.#primary.consume([{ key: KEY, quota: this.#counted, cost: 1 }], 0, 1)
      .balances[0]!.remaining
  }

  async #passTime(): Promise<void> {
    for (;;) {
      const next = this.#next()
      if (next === undefined) return
      this.now = next.at
      next.act()
      // What the event has settled is delivered before the next one.
      await new Promise(setImmediate)
    }
  }

  #live(processes: readonly Process[], ends: number): void {
    const { life = {}, quota, rng } = this.#run
    for (let at = 0; life.penalties && at < ends; at += quota.windowMs / 2) {
      this.#at(at + rng.integer(quota.windowMs / 2), () => {
        const { store } = rng.oneOf(processes)
        store.penalize([{ key: KEY, quota: this.#counted, cost: 1 }], 1 + rng.integer(quota.windowMs / 4))
      })
    }
    const restarts = 5 * processes.length
    for (let restart = 1; life.restarts && restart <= restarts; restart++) {
      this.#at(Math.floor((restart * ends) / (restarts + 1)), () => {
        const process = processes[restart % processes.length]!
        if (process.store instanceof LeasedStore) process.store.close()
        process.store = this.#openStore(process)
      })
    }
  }

  #startProcess(): Process {
    const process: Process = { store: undefined as never, decidedAt: 0 }
    this.#hulls.push(process)
    process.store = this.#openStore(process)
    return process
  }

  #openStore(process: Process): QuotaStore {
    const { mode, leaseMs, processes } = this.#run
    const remote = new Remote(this, process)
    const common = { maxKeys: 1_000, processes: () => processes, clock: () => this.now }
    if (mode === 'exact') return remote
    if (mode === 'local') return new LocalStore({ ...common, source: 'memory' })
    return new LeasedStore(remote, {
      ...common,
      leaseMs,
      onError: (error) => {
        throw error
      },
    })
  }

  async #arrive(process: Process, { cost }: Arrival): Promise<void> {
    const { store } = process
    const reply = await store.consume([{ key: KEY, quota: this.#counted, cost }], 1, 1)
    if (reply.granted === 0) return
    // What the shared store decided counts when it decided, by its own clock where that is stepped.
    const here = reply.source === 'lease' || this.#run.mode === 'local'
    const cameTo = this.#settleLater(store, cost, reply.balances[0]!.windowId)
    this.spent += cameTo
    // What a request turned out to cost beyond what was known when it was admitted, no limiter can refuse.
    this.admitted.push({ at: here ? this.now : process.decidedAt, units: Math.min(cost, cameTo) })
  }

  /** What a request comes to; all that was taken if the client leaves before its answer. */
  #settleLater(store: QuotaStore, cost: number, windowId: number): number {
    const { life, quota, rng } = this.#run
    if (!life?.settles || rng.unit() < 0.3) return cost
    const cameTo = rng.integer(cost + 2)
    const units = cameTo - cost
    if (units === 0) return cost
    const after = rng.integer(rng.unit() < 0.1 ? 1.5 * quota.windowMs : 50)
    this.#at(this.now + after, () => void store.settle([{ key: KEY, quota: this.#counted, units, windowId }]))
    return cameTo
  }

  /** Runs something on the shared store after a random way there, and tells after a random way back. */
  remote<Answer>(
    process: Process,
    units: (answer: Answer) => number,
    act: (store: MemoryStore) => Answer,
  ): Promise<Answer> {
    this.trips++
    return new Promise((resolve) => {
      this.#at(this.now + this.#delay(), () => {
        // A clock that steps back stands still for what was counted before.
        this.#storeNow = this.now + this.#clockOffset
        const hull = Math.max(process.hull ?? 0, this.#storeNow)
        const answer = act(this.#primary)
        this.#log.push({ at: this.now, act, units: units(answer) })
        const decidedAt = this.#run.faults.clockStepMs === undefined ? this.now : hull
        this.#hull(hull)
        this.#at(this.now + this.#delay(), () => {
          process.decidedAt = decidedAt
          resolve(answer)
        })
      })
    })
  }

  #hulls: Process[] = []
  #hull(hull: number): void {
    for (const process of this.#hulls) process.hull = hull
  }

  /** The replica has everything but the last `lagMs`. */
  #failOver(lagMs: number): void {
    const replica = new MemoryStore({ clock: () => this.#storeNow })
    const kept = this.#log.filter(({ at }) => at <= this.now - lagMs)
    const lost = this.#log.slice(kept.length).reduce((sum, { units }) => sum + units, 0)
    for (const { at, act } of kept) {
      this.#storeNow = at + this.#clockOffset
      act(replica)
    }
    this.#log = kept
    this.#primary = replica
    this.lost = Math.max(this.lost, lost)
  }

  #delay(): number {
    const { rng } = this.#run
    return rng.unit() < 0.02 ? rng.integer(80) : rng.integer(4)
  }

  #at(at: number, act: () => void): void {
    const event = { at, order: this.#order++, act }
    let low = 0
    let high = this.#events.length
    // Latest first, so that the next one is taken from the end.
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#events[middle]!
      if (other.at > at || (other.at === at && other.order > event.order)) low = middle + 1
      else high = middle
    }
    this.#events.splice(low, 0, event)
  }

  #next(): { at: number; act: () => void } | undefined {
    return this.#events.pop()
  }
}

interface Process {
  store: QuotaStore
  decidedAt: number
  hull?: number
}

/** The shared store, as a process sees it. */
class Remote implements QuotaStore {
  readonly #world: World
  readonly #process: Process

  constructor(world: World, process: Process) {
    this.#world = world
    this.#process = process
  }

  consume(charges: readonly Charge[], count: number, divisor: number): Promise<StoreReply> {
    return this.#world.remote(
      this.#process,
      ({ granted }: StoreReply) => granted * charges[0]!.cost,
      (store) => store.consume(charges, count, divisor),
    )
  }

  settle(settlements: readonly Settlement[]): Promise<void> {
    return this.#world.remote(
      this.#process,
      () => 0,
      (store) => store.settle(settlements),
    )
  }

  penalize(charges: readonly Charge[], blockMs: number): Promise<void> {
    return this.#world.remote(
      this.#process,
      () => 0,
      (store) => {
        this.#world.penalties.push({ from: this.#world.now, until: this.#world.now + blockMs })
        store.penalize(charges, blockMs)
      },
    )
  }

  async reset(): Promise<void> {}
}
