import type { Part, ResponseMap, ResponseMode, Rules } from './options.js'
import { parts } from './options.js'
import type { Schema } from './schema/schema.js'

/**
 * The name under which a validator carries its contract. Registered, so that a generator of documentation finds
 * it without this package.
 */
export const contract: unique symbol = Symbol.for('@scale/contract') as typeof contract

/** What a validator or a route promises: its schemas, and what a refusal looks like. */
export interface RouteContract extends Readonly<Partial<Record<Part, Schema>>> {
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

/** What of the checked options is a promise to the client. */
export function contractOf(rules: Rules): RouteContract {
  const { responseMode, bodyTypes, status } = rules
  const named = [...parts, 'response' as const].filter((name) => rules[name] !== undefined)
  const schemas = Object.fromEntries(named.map((name) => [name, rules[name]]))
  return Object.freeze({ ...schemas, responseMode, bodyTypes, status })
}
