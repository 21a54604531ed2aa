import { durationMs, resolveOptions } from '@scale/core'
import { ReloadFailed } from '../errors.js'
import type { Emit } from '../events.js'
import type { Supervisor } from './supervisor.js'

/** How a rolling reload goes. */
export interface ReloadOptions {
  /** How long the first new worker must stay ready and healthy before any old one goes. Default 5,000 */
  canaryMs?: number
}

/** What holds where `reload` says nothing. */
export const reloadDefaults: Readonly<Required<ReloadOptions>> = Object.freeze({ canaryMs: 5_000 })

/** @throws {InvalidOption} */
export function resolveReload(given: ReloadOptions | undefined): Required<ReloadOptions> {
  return resolveOptions('runCluster: reload', given, {
    checks: { canaryMs: durationMs(0) },
    defaults: reloadDefaults,
  })
}

/** How a reload went. */
export interface ReloadReport {
  /** Workers that run what is on disk now. */
  replaced: number
  tookMs: number
}

/**
 * Replaces all workers, one at a time, by new ones that run what is on disk now. The first new one is a canary: it must
 * stay ready and healthy for a while before any old one goes. Old ones drain side by side, so that all of it takes one drain, whatever
 * clients hold on. Any failure ends the reload; what was not replaced by then serves on.
 *
 * @throws {ReloadFailed} with how many were replaced and how many kept
 */
export async function reload(supervisor: Supervisor, canaryMs: number, emit: Emit): Promise<ReloadReport> {
  const startedAt = performance.now()
  const places = [...supervisor.places]
  emit({ type: 'reload', level: 'info', state: 'started', message: `reload of ${places.length} workers` })
  let replaced = 0
  try {
    for (const place of places) {
      await place.replace(replaced === 0 ? canaryMs : 0)
      replaced++
    }
    await Promise.all(places.map(({ left }) => left))
  } catch (cause) {
    const error = new ReloadFailed(replaced, places.length - replaced, cause)
    emit({ type: 'reload', level: 'error', state: 'failed', message: error.message, replaced })
    throw error
  }
  const tookMs = performance.now() - startedAt
  const message = `reload done: ${replaced} workers in ${Math.round(tookMs)} ms`
  emit({ type: 'reload', level: 'info', state: 'done', message, replaced, tookMs })
  return { replaced, tookMs }
}
