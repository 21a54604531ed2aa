import type { Next } from '@scale/core'
import type { Request, Response } from 'express'

/**
 * Lets an asynchronous handler fail under Express 4, as Express 5 does by itself: what it throws, or rejects with,
 * goes to `next`. A handler without annotations has the types that the middleware before it tells Express.
 *
 * @example app.get('/users/:id', asyncHandler(async (req, res) => { res.json(await users.find(req.params.id)) }))
 */
export function asyncHandler<
  Params = Request['params'],
  // biome-ignore lint/suspicious/noExplicitAny: Express' own default
  ResBody = any,
  // biome-ignore lint/suspicious/noExplicitAny: Express' own default
  ReqBody = any,
  Query = Request['query'],
  // biome-ignore lint/suspicious/noExplicitAny: Express' own default
  Locals extends Record<string, any> = Record<string, any>,
>(
  handler: Handler<Request<Params, ResBody, ReqBody, Query, Locals>, Response<ResBody, Locals>, unknown>,
): Handler<Request<Params, ResBody, ReqBody, Query, Locals>, Response<ResBody, Locals>, void>
export function asyncHandler<Req, Res>(handler: Handler<Req, Res, unknown>): Handler<Req, Res, void>
export function asyncHandler<Req, Res>(handler: Handler<Req, Res, unknown>): Handler<Req, Res, void> {
  return function asyncHandler(req, res, next) {
    const fail = (thrown: unknown): void => next(failure(thrown))
    try {
      Promise.resolve(handler(req, res, next)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

type Handler<Req, Res, Returned> = (req: Req, res: Res, next: Next) => Returned

/** `next` takes nothing for success, and the words `route` and `router` for leaving: such a value is wrapped. */
function failure(thrown: unknown): unknown {
  const isMistakable = !thrown || thrown === 'route' || thrown === 'router'
  return isMistakable
    ? new Error('A handler threw something that is not an Error.', { cause: thrown })
    : thrown
}
