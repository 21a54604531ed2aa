import type { Member } from './member.js'

/** How often silence is looked for. */
const TICK_MS = 250

/** A tick that comes this late was late because this process stood still, not because workers were silent. */
const STANDSTILL_MS = 2_000

/**
 * Calls `onSilent` for a ready worker that has said nothing for `timeoutMs`. A time in which the primary itself stood
 * still (a suspended machine, a stopped process) does not count as silence.
 *
 * @returns stops it
 */
export function watch(
  members: ReadonlySet<Member>,
  timeoutMs: number,
  onSilent: (member: Member) => void,
): () => void {
  let tickedAt = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const stoodStillMs = now - tickedAt > STANDSTILL_MS ? now - tickedAt : 0
    tickedAt = now
    for (const member of members) {
      member.heardAt += stoodStillMs
      if (member.state === 'ready' && now - member.heardAt > timeoutMs) onSilent(member)
    }
  }, TICK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
