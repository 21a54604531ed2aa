// Its own types merge into `Express.Request` and would contradict those of @scale/session: what is used here suffices.
declare module 'express-session' {
  import type { RequestHandler } from 'express'
  export default function session(options: {
    store: unknown
    secret: string
    resave: boolean
    saveUninitialized: boolean
  }): RequestHandler
}
