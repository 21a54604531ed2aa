import type { Mapped } from '../problem.js'
import { property, textProperty } from '../property.js'

/**
 * An error of an HTTP client (axios, got, ky, superagent, octokit, undici) that tells how another server answered.
 * Its status and headers are that server's: sent on as ours, its 401 would log our client out.
 */
export function mapUpstream(thrown: unknown): Mapped | undefined {
  const response = property(thrown, 'response')
  const status = property(response, 'status') ?? property(response, 'statusCode')
  const hasResponse = typeof status === 'number' && typeof property(response, 'headers') === 'object'
  if (!hasResponse && textProperty(thrown, 'code') !== 'UND_ERR_RESPONSE_STATUS_CODE') return undefined
  return { status: 502, code: 'ERR_SCALE_UPSTREAM' }
}
