import type { Request } from 'express'

/** The path template of the route that handles `req`: never the path itself, which holds what the client sent. */
export function routePath(req: Request): string | undefined {
  const path: unknown = req.route?.path
  return typeof path === 'string' ? path : undefined
}
