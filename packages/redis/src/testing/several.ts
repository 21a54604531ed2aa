import type { RedisServer } from './server.js'

/** Starts several servers at once; if one fails, none is left. */
export async function startAll(
  count: number,
  start: (index: number) => Promise<RedisServer>,
): Promise<RedisServer[]> {
  const starts = await Promise.allSettled(Array.from({ length: count }, (_, index) => start(index)))
  const started = starts.filter((result) => result.status === 'fulfilled').map((result) => result.value)
  const failure = starts.find((result) => result.status === 'rejected')
  if (failure === undefined) return started
  await stopAll(started)
  throw failure.reason
}

/** Ends several servers at once. */
export async function stopAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

/** Whether a server can answer: it runs and is not paused. */
export function isAwake(server: RedisServer): boolean {
  return server.running && !server.paused
}
