/**
 * - `closed`: operations pass
 * - `open`: the server is silent, or the connection is lost: operations fail at once
 */
export type BreakerState = 'closed' | 'open'
