import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks until the answer is neither `undefined` nor `false`, and returns it.
 *
 * @param what       what is waited for, for the message
 * @param timeoutMs  after which the last failure of `ask`, if it threw, becomes the cause
 */
export async function waitUntil<Answer>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<Answer | undefined | false> | Answer | undefined | false,
): Promise<Answer> {
  const giveUpAt = Date.now() + timeoutMs
  let failure: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (Date.now() >= giveUpAt)
      throw new Error(`${what} did not happen within ${timeoutMs} ms`, { cause: failure })
    await sleep(10)
  }
}
