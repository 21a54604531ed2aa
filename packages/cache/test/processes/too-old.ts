import type { ReadEvent, WriteEvent } from './worker.js'

/** Reads that began more than δ after an acknowledged write, and found something older. */
export function tooOld(
  reads: readonly ReadEvent[],
  writes: readonly WriteEvent[],
  livenessMs: number,
): (ReadEvent & { wanted: number })[] {
  const byKey = new Map<string, WriteEvent[]>()
  for (const write of writes) byKey.set(write.key, [...(byKey.get(write.key) ?? []), write])
  return reads.flatMap((read) => {
    const wanted = (byKey.get(read.key) ?? [])
      .filter(({ acknowledgedAt }) => acknowledgedAt <= read.startedAt - livenessMs)
      .reduce((highest, { version }) => Math.max(highest, version), 0)
    return read.version < wanted ? [{ ...read, wanted }] : []
  })
}
