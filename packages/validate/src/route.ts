import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  arrayOf,
  compose,
  contract,
  func,
  type Middleware,
  type Next,
  type OptionCheck,
  type ProblemContract,
  prefetch,
  resolveOptions,
} from '@scale/core'
import type { Request, Response } from 'express'
import { type Contracted, contractOf } from './contract.js'
import { HandlerWithoutAnswer } from './errors.js'
import { createValidator } from './middleware.js'
import { type Part, type ResponseMap, resolveRules, type ValidateOptions } from './options.js'
import { hasAnswer, schemaFor } from './response.js'
import { type InputOf, isSchema, type Schema } from './schema/schema.js'
import type { MaybeSchema, Results } from './schema/valid.js'

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
   * or missing; `{ status, body }` where it is a map. A handler that answers through `res` returns `res`,
   * or `undefined`; with `response`, `undefined` without an answer that has begun is an error, not a request that hangs.
   */
  handler: RouteHandler<RouteInput<Body, Query, Params, Headers, Cookies>, Declared>
  /**
   * Middleware that runs before anything is checked, in order and as `compose` runs it, early reads first: who may ask, and how often. What it
   * promises (`accessToken`, `requireScope`, `session`, `rateLimit`) is part of the contract. Default none
   */
  before?: readonly ((req: never, res: never, next: never) => unknown)[]
  /** Problems that the handler may throw, for the contract: classes of `defineProblem`, or what they were defined with. Default none */
  problems?: readonly ProblemKind[]
}

/** A kind of problem: its members, or a class that has them as `definition`. */
export type ProblemKind = ProblemContract | { readonly definition: ProblemContract }

/** The middleware that `route` returns: a validator and a handler in one. */
export interface Route extends Contracted {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Starts the early reads of what runs before. Called by `compose`. */
  [prefetch]?(req: IncomingMessage): void
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
  const { handler, before = [], problems = [], ...given } = options
  resolveOptions('route', { handler, before, problems }, { checks, defaults: {}, required: ['handler'] })
  const rules = resolveRules('route', given)
  const check = createValidator(rules)
  const enter = compose(...before) as Middleware
  const respond = responder(rules.response, !isSchema(given.response))

  function route(req: Request, res: Response, next: Next): void {
    enter(req, res, (error) => {
      if (error === undefined) answer(req, res, next)
      else next(error)
    })
  }

  function answer(req: Request, res: Response, next: Next): void {
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

  const promised = contractOf(rules, before, problems.map(problemOf))
  const early = enter[prefetch]
  return Object.assign(route, {
    [contract]: promised,
    ...(early && { [prefetch]: early }),
  }) as unknown as Route
}

const isProblem: OptionCheck = (value) => {
  const { status, code } = problemOf(Object(value))
  return Number.isInteger(status) && typeof code === 'string' ? undefined : 'a kind of problem'
}
const checks = { handler: func, before: arrayOf(func), problems: arrayOf(isProblem) }

function problemOf(kind: ProblemKind): ProblemContract {
  return 'definition' in kind ? kind.definition : kind
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** Sends what a handler returned. `return res.json(…)` is a habit: the response itself is no body. */
function responder(
  schemas: ResponseMap | undefined,
  hasStatuses: boolean,
): (res: Response, output: unknown) => void {
  return function respond(res, output) {
    if (output === res) return
    if (output === undefined) {
      if (schemas !== undefined && !hasAnswer(res)) throw new HandlerWithoutAnswer()
    } else if (schemas !== undefined && hasStatuses) {
      sendReply(res, schemas, output as { status: number; body?: unknown })
    } else {
      res.json(output)
    }
  }
}

/** Without a body, and where the status may have none, there is nothing for the guard to look at. */
function sendReply(
  res: Response,
  schemas: ResponseMap,
  { status, body }: { status: number; body?: unknown },
): void {
  res.status(status)
  if (body === undefined && !schemaFor(schemas, status)) res.end()
  else res.json(body)
}
