import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Ending, RequestContext } from '@scale/core'

/** What is known when a response is over. */
export interface Observation {
  res: ServerResponse
  /** From the request's arrival at the middleware, on a clock that never jumps. */
  seconds: number
  ending: Ending
  /** Template of the route that answered; the empty text if none matched. */
  route: string
  /** The ids of the request, if somebody knows them. */
  context: RequestContext | undefined
}

/** Writes requests into metrics of one naming scheme. */
export interface Recorder {
  /** A request has come. @returns what to call when its response is over */
  begin(req: IncomingMessage): (observation: Observation) => void
}
