// Whether a flood of forgeries leaves a process as it was: 100,000 different tokens with wrong signatures, each a good token by
// its form, beside requests with a token that is good. Memory and the delay of the event loop are those of a calm process.
// Ends non-zero if not. `pnpm --filter @scale/auth soak`.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { accessToken, localKeys } from '../src/index.js'
import { key, mint, options } from '../test/tokens.js'

const FORGERIES = 100_000
const AT_ONCE = 200
const MB = 1_048_576
/** What a full queue of tokens and the compiler's notes may keep. */
const FLAT_MB = 8
/** Longest time for which others wait: the worst of a thousand, in ms. */
const PROMPT_MS = 50

function keptMb(): number {
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / MB
}

const good = await mint()
const [head, claims, signature] = good.split('.') as [string, string, string]
const bytes = Buffer.from(signature, 'base64url')

function forgery(number: number): string {
  bytes.writeUInt32BE(number, 28)
  return `${head}.${claims}.${bytes.toString('base64url')}`
}

const tokens = accessToken(options({ keys: localKeys(key.jwk) }))

/** Presents forgeries from one number to another, some at once. @returns what became of them, and of the good one between */
async function flood(from: number, to: number): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  let next = from
  const client = async (): Promise<void> => {
    for (let number = next++; number < to; number = next++) {
      await tokens.verify(forgery(number)).then(
        () => count('a forgery was let in'),
        ({ reason, code }: { reason?: string; code?: string }) => count(reason ?? String(code)),
      )
      if (number % 100 === 0)
        await tokens.verify(good).then(
          () => count('good'),
          () => count('the good one was refused'),
        )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
  return outcomes
}

await tokens.verify(good)
await flood(0, 5_000)
const before = keptMb()
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
const startedAt = performance.now()
const outcomes = await flood(5_000, 5_000 + FORGERIES)
delay.disable()
const seconds = (performance.now() - startedAt) / 1_000
const grownMb = keptMb() - before
const worstMs = delay.percentile(99.9) / 1e6
console.log(
  `${FORGERIES} forgeries in ${seconds.toFixed(1)} s: ${[...outcomes].map(([word, number]) => `${word} ${number}`).join(', ')}; ` +
    `event loop p50 ${(delay.percentile(50) / 1e6).toFixed(1)} ms, p99.9 ${worstMs.toFixed(1)} ms; kept ${grownMb.toFixed(1)} MB more`,
)
const isWell = outcomes.get('signature') === FORGERIES && outcomes.get('good') === FORGERIES / 100
if (!isWell || grownMb > FLAT_MB || worstMs > PROMPT_MS) process.exit(1)
