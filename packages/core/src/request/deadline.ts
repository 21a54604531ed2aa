import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { slotAt } from './slot.js'

// Registered, so that two copies of this package share one deadline.
const deadlines = slotAt<number>(Symbol.for('@scale/request-deadline'))

/**
 * When a request is no longer worth working on: the client has then given up, by its own word, or the server has.
 *
 * Who asks first, starts the client's time: ask as soon as the request is there.
 *
 * @param ownMs  shortens it to so many ms from now
 * @returns on the clock of `performance.now()`; `Infinity` if nobody has said anything
 */
export function requestDeadline(req: IncomingMessage, ownMs: number = Number.POSITIVE_INFINITY): number {
  const known = deadlines.get(req)
  if (known !== undefined && ownMs === Number.POSITIVE_INFINITY) return known
  const nowMs = performance.now()
  const told = known ?? nowMs + (requestTimeoutMs(req.headers) ?? Number.POSITIVE_INFINITY)
  const deadlineAt = Math.min(told, nowMs + ownMs)
  deadlines.set(req, deadlineAt)
  return deadlineAt
}

const SECONDS = /^\d{1,8}(?:\.\d{1,6})?$/
const GRPC = /^(\d{1,8})([HMSmun])$/
const UNIT_MS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 } as const

/**
 * For how long the client will wait, by its own word: `Request-Timeout` in seconds, or `grpc-timeout`, a whole number with
 * a unit. If both are there, the shorter counts; what is neither is passed over.
 *
 * @returns ms ≥ 0, or `undefined` if the client says nothing
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function requestTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const seconds = headers['request-timeout']
  const grpc = headers['grpc-timeout']
  if (seconds === undefined && grpc === undefined) return undefined
  const shortest = Math.min(secondsMs(seconds), grpcMs(grpc))
  return shortest === Number.POSITIVE_INFINITY ? undefined : shortest
}

function secondsMs(value: string | string[] | undefined): number {
  return typeof value === 'string' && SECONDS.test(value) ? Number(value) * 1_000 : Number.POSITIVE_INFINITY
}

function grpcMs(value: string | string[] | undefined): number {
  const match = typeof value === 'string' ? GRPC.exec(value) : null
  if (match === null) return Number.POSITIVE_INFINITY
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}
