import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import type { Request, Response } from 'express'
import type { Contracted } from '../contract.js'
import type { InputOf, OutputOf, Schema } from './schema.js'

// How the types reach a handler. Express' own types know nothing of `req.valid`, but they pass the types of
// `params`, `req.body`, `query` and `locals` from one handler of a route to the next. So a validator marks those
// with an optional member that does not exist at run time, and `req.valid` reads the marks off the very request
// (`this`) it is a member of. Where a handler is annotated with a plain `Request` there is no mark to read, and
// the parts are `unknown`.

/** A schema, or none given. */
export type MaybeSchema = Schema | undefined

declare const mark: unique symbol

/** Something Express made, left as it is, that carries the type of what a schema made of it. */
export interface Marked<Output> {
  readonly [mark]?: Output
}

type IsAny<T> = 0 extends 1 & T ? true : false
type MarkOf<T> = IsAny<T> extends true ? unknown : T extends Marked<infer Output> ? Output : unknown
type Member<T, Name extends PropertyKey> = T extends { [N in Name]: infer Value } ? Value : unknown
type LocalsOf<T> = T extends { res?: infer Res } ? Member<NonNullable<Res>, 'locals'> : unknown

/** The results of all validators that have run, one member per part; `unknown` where the type is not known. */
export interface ValidParts<Req> {
  body: MarkOf<Member<Req, 'body'>>
  query: MarkOf<Member<Req, 'query'>>
  params: MarkOf<Member<Req, 'params'>>
  headers: Member<MarkOf<LocalsOf<Req>>, 'headers'>
  cookies: Member<MarkOf<LocalsOf<Req>>, 'cookies'>
}

declare global {
  namespace Express {
    interface Request {
      /**
       * What the schemas made of the parts of this request. There once a validator has run; later validators
       * add to it, member by member.
       */
      valid: ValidParts<this>
    }
  }
}

/** The same members as the schema's input, of any type: what Express parsed, and what handlers may call it. */
type Loose<T> = [Extract<T, object>] extends [never]
  ? unknown
  : // biome-ignore lint/suspicious/noExplicitAny: raw input is untyped in Express, and stays so
    { [Name in keyof Extract<T, object>]-?: any }

type Raw<S> = S extends Schema ? Loose<InputOf<S>> & Marked<OutputOf<S>> : unknown
type When<S, T> = S extends Schema ? T : unknown

type MarkedRequest<Body, Query, Params> = IncomingMessage &
  When<Body, { body: Raw<Body> }> &
  When<Query, { query: Request['query'] & Raw<Query> }> &
  When<Params, { params: Request['params'] & Raw<Params> }>

type MarkedResponse<Headers, Cookies> = [Headers, Cookies] extends [undefined, undefined]
  ? ServerResponse
  : Response<
      // biome-ignore lint/suspicious/noExplicitAny: Express' own default
      any,
      // biome-ignore lint/suspicious/noExplicitAny: Express' own default
      Record<string, any> &
        When<Headers, Marked<{ headers: OutputOf<Headers> }>> &
        When<Cookies, Marked<{ cookies: OutputOf<Cookies> }>>
    >

/** The results of one validator. */
export type Results<Body, Query, Params, Headers, Cookies> = When<Body, { body: OutputOf<Body> }> &
  When<Query, { query: OutputOf<Query> }> &
  When<Params, { params: OutputOf<Params> }> &
  When<Headers, { headers: OutputOf<Headers> }> &
  When<Cookies, { cookies: OutputOf<Cookies> }>

/** The middleware that `validate` returns. */
export interface Validator<
  Body extends MaybeSchema = MaybeSchema,
  Query extends MaybeSchema = MaybeSchema,
  Params extends MaybeSchema = MaybeSchema,
  Headers extends MaybeSchema = MaybeSchema,
  Cookies extends MaybeSchema = MaybeSchema,
> extends Contracted {
  /** Fits every route, whatever its handlers say of their request. */
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** The same function. TypeScript infers from the last signature, so this one tells handlers of the results. */
  (req: MarkedRequest<Body, Query, Params>, res: MarkedResponse<Headers, Cookies>, next: Next): void
  /**
   * The results on `req`, typed by this validator however the handler annotates its request.
   *
   * @throws {NotValidated} this validator has not run for `req`
   */
  valid(req: object): Results<Body, Query, Params, Headers, Cookies>
}

/** What a validator makes of a request: `Valid<typeof createUser>['body']`. */
export type Valid<V> =
  V extends Validator<infer Body, infer Query, infer Params, infer Headers, infer Cookies>
    ? Results<Body, Query, Params, Headers, Cookies>
    : never

/**
 * The annotation of a handler behind a validator: `(req: ValidRequest<typeof createUser>, res: Response)`. For
 * several validators join them: `ValidRequest<typeof a> & ValidRequest<typeof b>`.
 */
export type ValidRequest<V> = Request & { valid: Valid<V> }
