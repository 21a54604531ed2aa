import type { Attempt } from '../call/attempt.js'
import { keepGood, lastGood } from '../call/fallback.js'
import type { StaleStore } from '../stale-store.js'
import type { HttpCall } from './http-call.js'
import { isStorable, restored, type StoredResponse, stored } from './stored-response.js'

/** Keeps the last good answer to one question, and gives it when there is none. */
export class StaleResponses {
  readonly #policy: string
  readonly #store: StaleStore<StoredResponse>
  readonly #call: HttpCall

  constructor(policy: string, store: StaleStore<StoredResponse>, call: HttpCall) {
    this.#policy = policy
    this.#store = store
    this.#call = call
  }

  readonly task = async (attempt: Attempt): Promise<Response> => {
    const answer = await this.#call.task(attempt)
    if (!isStorable(answer)) return answer
    const { response, entry } = await stored(answer).catch((error) => {
      throw this.#call.failure(error)
    })
    keepGood(this.#policy, this.#store, this.#call.key, entry)
    return response
  }

  async restore(): Promise<Response | undefined> {
    const entry = await lastGood(this.#policy, this.#store, this.#call.key)
    return entry && restored(entry)
  }
}
