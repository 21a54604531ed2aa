import type { IncomingMessage, ServerResponse } from 'node:http'
import { InvalidOption, type Next } from '@scale/core'
import type { Request, Response } from 'express'
import { type Contracted, contract } from './contract.js'
import { createValidator } from './middleware.js'
import { type Part, type ResponseMap, resolveRules, type ValidateOptions } from './options.js'
import { type InputOf, isSchema, type Schema } from './schema.js'
import type { MaybeSchema, Results } from './valid.js'

/** What the schema or schemas of the response let a handler return. */
export type RouteOutput<Declared> = Declared extends Schema
  ? InputOf<Declared>
  : Declared extends ResponseMap
    ? { [Key in keyof Declared]: Reply<Key, Declared[Key]> }[keyof Declared]
    : unknown

type Reply<Key, Declared> = Declared extends Schema
  ? { status: StatusOf<Key>; body: InputOf<Declared> }
  : { status: StatusOf<Key>; body?: undefined }
type StatusOf<Key> = Key extends number ? Key : number

/** What a route's handler is given: the checked parts, and Express' own objects. */
export type RouteInput<Body, Query, Params, Headers, Cookies> = Results<
  Body,
  Query,
  Params,
  Headers,
  Cookies
> & { req: Request; res: Response }

/**
 * The function that answers. TypeScript looks into a conditional type, not into a plain function type, while it
 * infers: so `{ status: 204 }` stays the number 204.
 */
export type RouteHandler<Input, Declared> = Declared extends Schema | ResponseMap
  ? (input: Input) => Answered<RouteOutput<Declared>>
  : (input: Input) => Anything | Promise<Anything>

/** As `unknown`, but a number as `status` is kept as that number, for a handler that is looked at before `response`. */
type Anything = { status: 0 } | NonNullable<unknown> | null | undefined
type Answered<Output> = Output | undefined | Response | Promise<Output | undefined | Response>

/** The options of `validate`, and the handler. */
export interface RouteOptions<Body, Query, Params, Headers, Cookies, Declared>
  extends ValidateOptions<Body, Query, Params, Headers, Cookies, Declared> {
  /**
   * Answers the request with what it returns, as JSON: the body, with status 200, where `response` is one schema
   * or missing; `{ status, body }` where it is a map. A handler that answers through `res` returns `undefined`.
   */
  handler: RouteHandler<RouteInput<Body, Query, Params, Headers, Cookies>, Declared>
}

/** The middleware that `route` returns: a validator and a handler in one. */
export interface Route extends Contracted {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
}

/**
 * A route in one piece: what comes in, what goes out, and the handler between, typed by the schemas on both sides
 * without a word about `Request`. What the handler throws or rejects with goes to `next`, on Express 4 too.
 *
 * @param options  those of `validate`, and `handler`
 * @throws {InvalidOption} an option is unknown or wrong
 */
export function route<
  Body extends MaybeSchema = undefined,
  Query extends MaybeSchema = undefined,
  Params extends MaybeSchema = undefined,
  Headers extends MaybeSchema = undefined,
  Cookies extends MaybeSchema = undefined,
  const Declared extends Schema | ResponseMap | undefined = undefined,
>(options: RouteOptions<Body, Query, Params, Headers, Cookies, Declared>): Route {
  const { handler, ...given } = options
  if (typeof handler !== 'function') throw new InvalidOption('route: `handler` must be a function.')
  const check = createValidator(resolveRules('route', given))
  const repliesWithStatus = given.response !== undefined && !isSchema(given.response)
  const respond = repliesWithStatus ? sendReply : sendBody

  function route(req: Request, res: Response, next: Next): void {
    // A failure without a value would read as success: `next(undefined)` goes on to the next route.
    const fail = (thrown: unknown): void => next(thrown ?? new Error('The handler failed without an error.'))
    check(req, res, (error) => {
      if (error !== undefined) return next(error)
      try {
        const output: unknown = handler(inputOf(req, res))
        if (isThenable(output)) output.then((settled) => respond(res, settled)).then(undefined, fail)
        else respond(res, output)
      } catch (thrown) {
        fail(thrown)
      }
    })
  }

  function inputOf(req: Request, res: Response): RouteInput<Body, Query, Params, Headers, Cookies> {
    const results: Partial<Record<Part, unknown>> = { ...req.valid }
    return { ...results, req, res } as RouteInput<Body, Query, Params, Headers, Cookies>
  }

  return Object.assign(route, { [contract]: check[contract] }) as unknown as Route
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** `return res.json(…)` is a habit: the response itself is no body. */
function isAnswered(res: Response, output: unknown): boolean {
  return output === undefined || output === res
}

function sendBody(res: Response, body: unknown): void {
  if (!isAnswered(res, body)) res.json(body)
}

function sendReply(res: Response, reply: unknown): void {
  if (isAnswered(res, reply)) return
  const { status, body } = reply as { status: number; body?: unknown }
  res.status(status)
  if (body === undefined) res.end()
  else res.json(body)
}
