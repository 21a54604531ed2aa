import { setTimeout as sleep } from 'node:timers/promises'

// Every contestant is one process that serves the same routes on a free port, with sessions in the same Redis:
//
//   POST /login          begins a session of the user `ann`
//   POST /set/:key       sets one key of the session, and answers some ms later
//   POST /logout         ends the session
//   GET  /keys           { user, keys }: what the session has

/** Where Redis is. */
export const redisPort: number = Number(process.env.BENCH_REDIS_PORT)

/** What a handler does between reading a session and answering: long enough that many requests overlap. */
export async function work(): Promise<void> {
  await sleep(1 + Math.random() * 10)
}

/** Reports the port. */
export function ready(port: number): void {
  process.send!({ port })
}
