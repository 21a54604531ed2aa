// It comes without types; this is what the bench uses.
declare module 'apicache' {
  import type { RequestHandler } from 'express'

  const apicache: { middleware(ttl: string): RequestHandler }
  export default apicache
}
