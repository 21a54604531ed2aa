import { type Next, requestDeadline, requestSlot, resolveOptions } from '@scale/core'
import type { Request, RequestHandler, Response } from 'express'
import type { Refusal } from './errors.js'
import { Gate, type Treatment } from './gate.js'
import { fixed } from './limits/fixed.js'
import { gradient } from './limits/gradient.js'
import type { LimitAlgorithm } from './limits/limit.js'
import { type AdmissionOptions, admissionChecks, admissionDefaults } from './options.js'
import type { Priority } from './queue/waiting-room.js'
import { Refusals } from './refusals.js'

/** What `admission` returns: middleware that can be asked how it stands. */
export interface Admission extends RequestHandler {
  /** How many requests may run at once now. */
  readonly limit: number
  /** How many run. */
  readonly inFlight: number
  /** How many wait. */
  readonly waiting: number
  /**
   * How full the process is: 0 idle, 1 as many run as may, up to 2 the fuller the queue. A quota that shrinks with load
   * reads it.
   */
  saturation(): number
}

const PROBES = new Set(['/livez', '/readyz', '/healthz', '/metrics'])
const ALL = ''
const USUAL: Priority = 1

/**
 * Lets so many requests run at once as the process can answer without getting slower. The others wait for a moment, and
 * what would wait longer is refused with 503 and `Retry-After`, before anything has been done for it.
 *
 * Mount it in front of everything that costs something. It keeps its own count in each process and needs no store.
 *
 * @throws {InvalidOption} unknown name or wrong range
 * @see docs/concepts/overload.md
 */
export function admission(options: AdmissionOptions = {}): Admission {
  const resolved = resolveOptions('admission', options, {
    checks: admissionChecks,
    defaults: admissionDefaults,
  })
  const { forward, exempt = isProbe } = resolved
  const refusals = new Refusals(resolved.retryAfterMs)
  const gate = new Gate({
    ...resolved,
    algorithm: algorithmOf(resolved.limit),
    refuse: (refusal: Refusal, res: Response, next: Next) => {
      if (forward) next(refusals.error(refusal))
      else refusals.answer(res)
    },
  })
  const passed = requestSlot<true>('@scale/overload')
  const treat = treatment(resolved)

  const middleware = function admission(req: Request, res: Response, next: Next): void {
    // Mounted twice it would wait for itself.
    if (passed.get(req) || attempt(exempt, req) === true) {
      next()
    } else {
      passed.set(req, true)
      gate.arrive(req, res, next, treat(req))
    }
  }
  return Object.defineProperties(middleware, {
    limit: { get: () => gate.limit, enumerable: true },
    inFlight: { get: () => gate.inFlight, enumerable: true },
    waiting: { get: () => gate.waiting, enumerable: true },
    saturation: {
      value: () => Math.min(1, gate.inFlight / gate.limit) + gate.waiting / Math.max(1, resolved.maxWaiting),
    },
  }) as unknown as Admission
}

function algorithmOf(limit: number | LimitAlgorithm | undefined): LimitAlgorithm {
  if (limit === undefined) return gradient() as LimitAlgorithm
  return typeof limit === 'number' ? (fixed(limit) as LimitAlgorithm) : limit
}

function isProbe({ method, path }: Request): boolean {
  return (method === 'GET' || method === 'HEAD') && PROBES.has(path)
}

/** How each request is to be treated. Nothing that a function of the app throws or returns can stop a request. */
function treatment(
  options: Pick<AdmissionOptions, 'priority' | 'partition' | 'deadlineMs'>,
): (req: Request) => Treatment {
  const { priority, partition, deadlineMs } = options
  const ownMs = typeof deadlineMs === 'function' ? deadlineMs : () => deadlineMs
  return (req) => {
    const importance = priority && attempt(priority, req)
    const owner = partition && attempt(partition, req)
    return {
      priority: importance === 0 || importance === 2 || importance === 3 ? importance : USUAL,
      partition: typeof owner === 'string' ? owner : ALL,
      deadlineAt: requestDeadline(req, positive(attempt(ownMs, req))),
    }
  }
}

function attempt<Value>(ask: (req: Request) => Value, req: Request): Value | undefined {
  try {
    return ask(req)
  } catch {
    return undefined
  }
}

function positive(ms: unknown): number {
  return typeof ms === 'number' && ms >= 0 ? ms : Number.POSITIVE_INFINITY
}
