import { type contract, joinContracts, type MiddlewareContract, type ProblemContract } from '@scale/core'
import type { Part, ResponseMap, ResponseMode, Rules } from './options.js'
import { parts } from './options.js'
import type { Schema } from './schema/schema.js'

/** What a validator or a route promises: its schemas, what it demands, and what a refusal looks like. All of it data. */
export interface RouteContract extends Readonly<Partial<Record<Part, Schema>>>, Required<MiddlewareContract> {
  /** Schemas of the responses, by status, class of status or `default`; `null` where there is no body. */
  readonly response?: ResponseMap
  /** With `strip` the client sees what the response schema makes of a body, else the body itself. */
  readonly responseMode: ResponseMode
  /** Media types of the request body. */
  readonly bodyTypes: readonly string[]
  /** Status of the answer when a schema refuses the request. */
  readonly status: 400 | 422
}

/** A middleware that carries its contract. */
export interface Contracted {
  readonly [contract]: RouteContract
}

/**
 * What of the checked options is a promise to the client.
 *
 * @param before    middleware that runs before, whose contracts are part of this one
 * @param problems  that the handler may answer with
 */
export function contractOf(
  rules: Rules,
  before: readonly unknown[] = [],
  problems: readonly ProblemContract[] = [],
): RouteContract {
  const { responseMode, bodyTypes, status } = rules
  const named = [...parts, 'response' as const].filter((name) => rules[name] !== undefined)
  const schemas = Object.fromEntries(named.map((name) => [name, rules[name]]))
  const demanded = joinContracts(before)
  return Object.freeze({
    ...schemas,
    responseMode,
    bodyTypes,
    status,
    security: [],
    scopes: [],
    quotas: [],
    ...demanded,
    problems: Object.freeze([...(demanded.problems ?? []), ...refusalsOf(rules), ...problems]),
  })
}

/** The problems that a request gets which does not fit. */
function refusalsOf(rules: Rules): ProblemContract[] {
  const isRefused = parts.some((part) => rules[part] !== undefined)
  return [
    ...(isRefused ? [{ status: rules.status, code: 'ERR_SCALE_VALIDATION' }] : []),
    ...(rules.query ? [{ status: 414, code: 'ERR_SCALE_VALIDATION_QUERY_SIZE' }] : []),
    ...(rules.body ? [{ status: 415, code: 'ERR_SCALE_VALIDATION_BODY_TYPE' }] : []),
  ]
}
