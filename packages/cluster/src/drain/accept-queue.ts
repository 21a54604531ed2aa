/** A turn of the loop this short has done next to nothing: by itself it takes 2 µs. */
const IDLE_TURN_MS = 0.01
/** Each turn that was too long makes the measure of the next longer: a busy process is content with half a millisecond after 80. */
const LENIENCE = 1.05
/** Who is flooded with connections has to reset some in the end. */
const LONGEST_MS = 1_000

/**
 * Resolves in the check phase of a short turn of the loop that found nothing to accept. What waits when a listening socket is
 * closed is reset by the kernel; from the look into the queue until now hardly any time has passed. (Node 20 accepts one
 * connection in a turn, so that a turn that accepted one says nothing of the others.)
 *
 * @param accepted   how many connections have been accepted so far
 * @param longestMs  resolves after so long in any case, at most a second
 */
export async function acceptQueueEmptied(
  accepted: () => number,
  longestMs: number = LONGEST_MS,
): Promise<void> {
  let idleMs = IDLE_TURN_MS
  let now = performance.now()
  const deadline = now + Math.min(longestMs, LONGEST_MS)
  while (now < deadline) {
    const [before, acceptedBefore] = [now, accepted()]
    await new Promise((resolve) => setImmediate(resolve))
    now = performance.now()
    if (accepted() !== acceptedBefore) continue
    if (now - before < idleMs) return
    idleMs *= LENIENCE
  }
}
