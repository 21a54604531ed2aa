import type { Request } from 'express'

/** Whether a browser sent a form by itself, without the page's script: it is led back to the page. */
export function isForm(req: Request): boolean {
  return typeof req.is('urlencoded') === 'string'
}
