import { setTimeout as sleep } from 'node:timers/promises'
import { type Ending, KEYS, type Subject } from './subjects.js'

/** What became of the requests of one subject around a pause. */
export interface Outcome {
  readonly counts: Readonly<Record<Ending, number>>
  /** From the first answer after the pause to the end of the last refusal, in ms; 0 if none ended later. */
  readonly refusedForMs: number
  /** Of the requests that began in the pause: the longest wait, that of 99 in 100, and of 99 in 100 after the first second, in ms. */
  readonly longestMs: number
  readonly p99Ms: number
  readonly laterP99Ms: number
}

interface Request {
  readonly startedAt: number
  readonly endedAt: number
  readonly ending: Ending
}

const IN_FLIGHT = 32
const ALL_KEYS = Array.from({ length: KEYS }, (_, key) => key)
/** Who was refused asks again after this long, as another request would come. */
const REFUSED_PAUSE_MS = 5
const AROUND_MS = 300

/**
 * Keeps 32 requests of each subject in flight before, during and after a pause.
 *
 * @param pause   makes the pause; resolves when it is over
 * @param keysOf  what is asked for. Default: whatever there is
 */
export async function through(
  subjects: readonly Subject[],
  pause: () => Promise<void>,
  keysOf: (subject: Subject) => readonly number[] = () => ALL_KEYS,
): Promise<Map<string, Outcome>> {
  let isOver = false
  const requests = new Map(subjects.map(({ name }) => [name, [] as Request[]]))
  const running = subjects.flatMap((subject) =>
    Array.from({ length: IN_FLIGHT }, async (_, lane) => {
      const keys = keysOf(subject)
      for (let next = lane; !isOver; next += IN_FLIGHT) {
        const startedAt = performance.now()
        const ending = await subject.ask(keys[next % keys.length]!)
        requests.get(subject.name)!.push({ startedAt, endedAt: performance.now(), ending })
        if (ending !== 'answered') await sleep(REFUSED_PAUSE_MS)
      }
    }),
  )
  await sleep(AROUND_MS)
  const beganAt = performance.now()
  await pause()
  const endedAt = performance.now()
  await sleep(AROUND_MS)
  isOver = true
  await Promise.all(running)
  return new Map([...requests].map(([name, all]) => [name, outcomeOf(all, beganAt, endedAt)]))
}

function outcomeOf(requests: readonly Request[], beganAt: number, overAt: number): Outcome {
  const counts = { answered: 0, without: 0, refused: 0 }
  for (const { ending } of requests) counts[ending]++
  const firstAnswerAt = Math.min(
    ...requests.filter((one) => one.ending === 'answered' && one.endedAt >= overAt).map((one) => one.endedAt),
  )
  const refusals = requests.filter(({ ending }) => ending === 'refused').map((one) => one.endedAt)
  const during = requests.filter((one) => one.startedAt >= beganAt && one.startedAt < overAt)
  return {
    counts,
    refusedForMs: Math.max(0, Math.max(...refusals, 0) - firstAnswerAt),
    longestMs: waitOf(during, 1),
    p99Ms: waitOf(during, 0.99),
    laterP99Ms: waitOf(
      during.filter((one) => one.startedAt >= beganAt + 1_100),
      0.99,
    ),
  }
}

/** How long a part of the requests waited at most, in ms. */
function waitOf(requests: readonly Request[], ratio: number): number {
  const waits = requests.map((one) => one.endedAt - one.startedAt).sort((a, b) => a - b)
  return waits[Math.ceil(waits.length * ratio) - 1] ?? 0
}
