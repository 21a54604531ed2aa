/**
 * Lets work be done a few at once, with some waiting for their turn; the others are turned away.
 *
 * @param turnedAway  makes the error of who finds too many waiting
 */
export function turns(
  concurrency: number,
  maxWaiting: number,
  turnedAway: () => Error,
): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []

  return async (work) => {
    if (running >= concurrency) {
      if (waiting.length >= maxWaiting) throw turnedAway()
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
