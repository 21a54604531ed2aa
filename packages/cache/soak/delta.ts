// Whether no read is older than an acknowledged invalidation by more than δ, over a million reads of races in which
// everything fails that can, by calls and over HTTP in turn. Ends non-zero at the first that is.
// `pnpm --filter @scale/cache soak:delta`; SOAK_READS sets how many.
import { LIVENESS_MS, race } from '../test/processes/race.js'
import { tooOld } from '../test/processes/too-old.js'

const READS = Number(process.env.SOAK_READS ?? 1_000_000)
const ROUND_MS = 20_000

let [done, hits, writes] = [0, 0, 0]
for (let round = 0; done < READS; round++) {
  const over = round % 2 === 0 ? 'calls' : 'http'
  const raced = await race(over, ROUND_MS)
  const old = tooOld(raced.reads, raced.writes, LIVENESS_MS)
  if (old.length > 0) {
    console.log('too old:', old)
    process.exit(1)
  }
  done += raced.reads.length
  hits += raced.hits
  writes += raced.writes.length
  console.log(
    `${done} reads, ${hits} of them of copies, ${writes} acknowledged writes: none too old (${over})`,
  )
}
