// Its types are a package of their own, which changes `Request` for all of a program.
declare module 'express-session' {
  import type { RequestHandler } from 'express'
  export default function session(options: object): RequestHandler
}
