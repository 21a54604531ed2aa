import {
  anyOf,
  arrayOf,
  InvalidOption,
  integer,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import { isSchema, type Schema } from './schema/schema.js'

/** The parts of a request, in the order in which their issues are reported. */
export const parts = ['params', 'query', 'headers', 'cookies', 'body'] as const

/** A part of a request that a schema can describe. */
export type Part = (typeof parts)[number]

/** `200`, a class such as `'2XX'`, or `'default'`, as in OpenAPI. */
export type ResponseKey = number | `${1 | 2 | 3 | 4 | 5}XX` | 'default'

/** A schema per status; `null` says that a status has no body. */
export type ResponseMap = { readonly [Key in ResponseKey]?: Schema | null }

/** What becomes of a response: see `ValidateOptions.responseMode`. */
export type ResponseMode = 'off' | 'log' | 'strip' | 'enforce'

/** What becomes of a query parameter that comes more than once: see `ValidateOptions.duplicates`. */
export type DuplicatePolicy = 'reject' | 'first' | 'last' | 'array'

/** What `validate` takes: at least one schema, and settings that all have a default. */
export interface ValidateOptions<Body, Query, Params, Headers, Cookies, Response = Schema | ResponseMap> {
  /** What `req.body` must be. A request without a body counts as `undefined`. Default none */
  body?: Body
  /** What the query must be: an object of strings, and of arrays of strings for array parameters. Default none */
  query?: Query
  /** What `req.params` must be, with those of parent routers if the router says `mergeParams`. Default none */
  params?: Params
  /** What the headers must be; their names are lower case. Default none */
  headers?: Headers
  /** What the cookies must be: `req.cookies` if a parser filled it, else the `Cookie` header. Default none */
  cookies?: Cookies
  /** What a JSON response must be: one schema for every 2xx status, or one per status. Default none */
  response?: Response
  /**
   * What becomes of a JSON response: `off` leaves it alone, `log` only publishes a mismatch, `enforce` answers a
   * mismatch with 500, `strip` does too and sends what the schema makes of the body, so that fields the schema
   * does not know stay inside. Default `strip`
   */
  responseMode?: ResponseMode
  /**
   * Status of the answer when a schema refuses the request: 422 or 400. Default 422
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.5.21
   */
  status?: 400 | 422
  /** Most issues that one answer lists, 1–1,000; the rest are counted in `omitted`. Default 20 */
  maxIssues?: number
  /**
   * Media types that a body may have; `*` stands for any run of characters. Another type is answered with 415.
   * Default `["application/json", "application/*+json"]`
   */
  bodyTypes?: readonly string[]
  /** How deep a body may nest, 1–1,000 levels, so that a recursive schema cannot exhaust the stack. Default 64 */
  maxBodyDepth?: number
  /**
   * What becomes of a query parameter that comes more than once and is no array parameter: `reject` reports it,
   * `first` and `last` pick one, `array` passes all of them. Default `reject`
   */
  duplicates?: DuplicatePolicy
  /**
   * Query parameters that are arrays, however often they come. Default: those that the schema's own JSON Schema declares as
   * arrays; without one, those that the schema takes only as arrays
   */
  queryArrays?: readonly string[]
  /** Longest query string in bytes, without the `?`, 1–1,048,576; a longer one is answered with 414. Default 8192 */
  maxQueryBytes?: number
  /** Most parameters in a query string, 1–10,000; more are answered with 414. Default 100 */
  maxQueryParameters?: number
}

type AnyOptions = ValidateOptions<Schema, Schema, Schema, Schema, Schema>

const schema: OptionCheck = (value) =>
  isSchema(value) ? undefined : 'a Standard Schema (zod 4, valibot, arktype …)'

const responseMap: OptionCheck = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length > 0 &&
  Object.entries(value).every(
    ([key, entry]) => /^(?:[1-5](?:\d\d|XX)|default)$/.test(key) && (entry === null || isSchema(entry)),
  )
    ? undefined
    : "an object with a schema, or null for no body, per status (200, '4XX', 'default')"

/** A media type; its parts may have `*`. */
export const mediaType: OptionCheck = (value) =>
  typeof value === 'string' && /^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+$/.test(value)
    ? undefined
    : "a media type without parameters, such as 'application/json'"

const checks: OptionChecks<AnyOptions> = {
  body: schema,
  query: schema,
  params: schema,
  headers: schema,
  cookies: schema,
  response: anyOf(schema, responseMap),
  status: (value) => (value === 400 || value === 422 ? undefined : '400 or 422'),
  maxIssues: integer(1, 1_000),
  bodyTypes: arrayOf(mediaType, 1),
  maxBodyDepth: integer(1, 1_000),
  duplicates: oneOf('reject', 'first', 'last', 'array'),
  queryArrays: arrayOf(string(1, 256)),
  maxQueryBytes: integer(1, 1_048_576),
  maxQueryParameters: integer(1, 10_000),
  responseMode: oneOf('off', 'log', 'strip', 'enforce'),
}

type Defaults = Readonly<
  Required<
    Pick<
      AnyOptions,
      | 'responseMode'
      | 'status'
      | 'maxIssues'
      | 'bodyTypes'
      | 'maxBodyDepth'
      | 'duplicates'
      | 'maxQueryBytes'
      | 'maxQueryParameters'
    >
  >
>

/** The defaults of `ValidateOptions`. */
export const validateDefaults: Defaults = Object.freeze({
  status: 422,
  maxIssues: 20,
  bodyTypes: Object.freeze(['application/json', 'application/*+json']),
  maxBodyDepth: 64,
  duplicates: 'reject',
  maxQueryBytes: 8_192,
  maxQueryParameters: 100,
  responseMode: 'strip',
})

/** The options after the check, the schemas of the response as a map. */
export type Rules = Readonly<Omit<ResolvedOptions<AnyOptions, Defaults>, 'response'>> & {
  readonly response: ResponseMap | undefined
}

/**
 * Checks the options once and fills in defaults.
 *
 * @param owner  `validate` or `route`, the first word of every message
 * @throws {InvalidOption} unknown name, wrong value, or no schema at all
 */
export function resolveRules(owner: string, given: object): Rules {
  const options = resolveOptions<AnyOptions, Defaults>(owner, given as AnyOptions, {
    checks,
    defaults: validateDefaults,
  })
  const { response } = options
  if (owner === 'validate' && response === undefined && parts.every((part) => options[part] === undefined)) {
    throw new InvalidOption(
      `${owner}: give at least one schema: body, query, params, headers, cookies or response.`,
    )
  }
  return { ...options, response: isSchema(response) ? { '2XX': response } : response }
}
