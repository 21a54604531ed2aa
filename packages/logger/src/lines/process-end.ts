/** What holds lines that must be with their destination when the process ends. */
interface Holder {
  /** Writes everything before it returns. Never throws. */
  writeLast(): void
}

/** In two rounds: what passes lines on comes before what hands them over. */
const passing = new Set<Holder>()
const handing = new Set<Holder>()
let isWatching = false

/** While it is kept here, it is asked to write when the process ends, however it ends on its own. */
export function keepUntilEnd(holder: Holder, round: 'passing' | 'handing'): void {
  ;(round === 'passing' ? passing : handing).add(holder)
  if (isWatching) return
  isWatching = true
  // Before the destinations of pino, which end themselves at the first of the two.
  process.prependListener('beforeExit', writeAll)
  process.prependListener('exit', writeAll)
}

function writeAll(): void {
  for (const one of passing) one.writeLast()
  for (const one of handing) one.writeLast()
}

/** It holds nothing any more. */
export function release(holder: Holder): void {
  passing.delete(holder)
  handing.delete(holder)
}
