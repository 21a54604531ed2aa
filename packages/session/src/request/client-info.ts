import type { IncomingMessage } from 'node:http'
import { clientAddress } from '@scale/core'
import type { SessionConfig } from '../options.js'

/** What address and agent are bound to when they are sealed: nothing that a key of the data could be. */
export function clientPlace(sessionId: string): [sessionId: string, field: string] {
  return [`${sessionId} client`, '']
}

/** Address and agent for the user's list of sessions. */
export function clientInfo(
  config: SessionConfig,
  sessionId: string,
  req: IncomingMessage | undefined,
): string {
  if (!config.clientInfo || req === undefined) return ''
  const info = { address: clientAddress(req)?.address, agent: req.headers['user-agent']?.slice(0, 256) }
  return config.codec.encode(JSON.stringify(info), ...clientPlace(sessionId))
}
