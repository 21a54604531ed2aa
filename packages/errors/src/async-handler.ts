import type { Next } from '@scale/core'
import type { Request, Response } from 'express'

/**
 * Lets an asynchronous handler fail under Express 4, as Express 5 does by itself: what it throws, or rejects with,
 * goes to `next`.
 *
 * @example app.get('/users/:id', asyncHandler(async (req, res) => { res.json(await users.find(req.params.id)) }))
 */
export function asyncHandler<Req = Request, Res = Response>(
  handler: (req: Req, res: Res, next: Next) => unknown,
): (req: Req, res: Res, next: Next) => void {
  return function asyncHandler(req, res, next) {
    const fail = (thrown: unknown): void => next(failure(thrown))
    try {
      Promise.resolve(handler(req, res, next)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

/** `next` takes nothing for success, and the words `route` and `router` for leaving: such a value is wrapped. */
function failure(thrown: unknown): unknown {
  const isMistakable = !thrown || thrown === 'route' || thrown === 'router'
  return isMistakable
    ? new Error('A handler threw something that is not an Error.', { cause: thrown })
    : thrown
}
