import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import { rejected } from '../channels.js'
import type { Refusal, ValidationFailed } from '../errors.js'
import { routePath } from './route-path.js'

/** Tells listeners that a request was refused. */
export function publishRejected(
  req: IncomingMessage,
  { code, status, parts, issues }: Refusal & Pick<ValidationFailed, 'code' | 'status'>,
): void {
  if (!rejected.hasSubscribers) return
  const { method = '' } = req
  rejected.publish({ code, status, parts, issues, method, route: routePath(req as Request) })
}
