import { ReloadFailed } from './errors.js'
import type { Emit } from './events.js'
import type { Supervisor } from './supervisor.js'

/** How a reload went. */
export interface ReloadReport {
  /** Workers that run what is on disk now. */
  replaced: number
  tookMs: number
}

/**
 * Replaces all workers, one at a time, by new ones that run what is on disk now. The first new one is a canary: it must
 * stay ready and healthy for a while before any old one goes. Any failure ends the reload; what was not replaced by
 * then serves on.
 *
 * @throws {ReloadFailed} with how many were replaced and how many kept
 */
export async function reload(supervisor: Supervisor, canaryMs: number, emit: Emit): Promise<ReloadReport> {
  const startedAt = performance.now()
  const slots = [...supervisor.slots]
  emit({ type: 'reload', level: 'info', state: 'started', message: `reload of ${slots.length} workers` })
  let replaced = 0
  try {
    for (const slot of slots) {
      await supervisor.replace(slot, replaced === 0 ? canaryMs : 0)
      replaced++
    }
  } catch (cause) {
    const error = new ReloadFailed(replaced, slots.length - replaced, cause)
    emit({ type: 'reload', level: 'error', state: 'failed', message: error.message, replaced })
    throw error
  }
  const tookMs = performance.now() - startedAt
  const message = `reload done: ${replaced} workers in ${Math.round(tookMs)} ms`
  emit({ type: 'reload', level: 'info', state: 'done', message, replaced, tookMs })
  return { replaced, tookMs }
}
