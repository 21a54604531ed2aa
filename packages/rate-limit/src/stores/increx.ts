import { type OperationOptions, RedisUnavailable, type StoreGuard } from '@scale/redis'
import type { Charge, StoreReply } from '../store.js'

/**
 * A fixed window in one native command, where the server has it: no script, and no write when it refuses.
 *
 * @see https://redis.io/docs/latest/commands/increx/ (Redis 8.8) · https://valkey.io/commands/increx/ (Valkey 9.2)
 */
export class Increx {
  readonly #guard: StoreGuard
  /** `undefined` until the server has been asked. */
  #known: boolean | undefined
  #asking = false

  constructor(guard: StoreGuard) {
    this.#guard = guard
  }

  /** Whether the server has the command. False until that is known. */
  get available(): boolean {
    if (this.#known === undefined && !this.#asking) this.#ask()
    return this.#known === true
  }

  /**
   * Decides on one request. The window is not named, so its cost cannot be given back.
   *
   * @returns `undefined` if nothing has happened, because the server does not have the command after all, or it would
   *   refuse for ever
   */
  async consume(
    { key, quota, cost }: Charge,
    options: OperationOptions,
  ): Promise<Omit<StoreReply, 'source'> | undefined> {
    const bounds = ['BYINT', cost, 'UBOUND', quota.quota, 'PX', quota.windowMs, 'ENX']
    try {
      const [reply, life] = await Promise.all([
        this.#guard.call('increx', [key, ...bounds], options),
        this.#guard.call('pttl', [key], options),
      ])
      const [spent, applied] = (reply as unknown[]).map(Number) as [number, number]
      // A key without expiry is not ours; the script starts it anew.
      if (applied === 0 && Number(life) === -1) return undefined
      const remaining = Math.max(0, quota.quota - spent)
      // It may have expired between the two commands.
      const endsInMs = spent === 0 ? 0 : Math.max(1, Number(life))
      const waitMs = cost <= remaining ? 0 : cost > quota.quota ? Number.POSITIVE_INFINITY : endsInMs
      return {
        granted: applied > 0 ? 1 : 0,
        balances: [{ remaining, resetAfterMs: endsInMs, waitMs, windowId: 0 }],
      }
    } catch (error) {
      if (!(error instanceof Error) || !/^ERR unknown command/i.test(error.message)) throw error
      // A fail-over to an older server.
      this.#known = false
      return undefined
    }
  }

  async #ask(): Promise<void> {
    this.#asking = true
    try {
      const [info] = (await this.#guard.call('command', ['info', 'increx'])) as unknown[]
      this.#known = Array.isArray(info)
    } catch (error) {
      // One who may not ask does without; while Redis is away, the next request asks again.
      if (!(error instanceof RedisUnavailable)) this.#known = false
    }
    this.#asking = false
  }
}

/** Whether a request is one that the command can decide on. */
export function isForIncrex(charges: readonly Charge[], count: number, divisor: number): boolean {
  const [charge] = charges
  return (
    charges.length === 1 &&
    count === 1 &&
    divisor === 1 &&
    charge!.quota.algorithm === 'fixed' &&
    charge!.cost > 0 &&
    charge!.settles !== true
  )
}
