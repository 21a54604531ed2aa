import { setTimeout as sleep } from 'node:timers/promises'

// Every contestant is one process that serves the same routes on a free port, with sessions in the same Redis:
//
//   POST /login          begins a session of the user `ann`
//   POST /set/:key       sets one key of the session, and answers some ms later
//   POST /logout         ends the session
//   GET  /keys           { user, keys }: what the session has
//   GET  /read           300 bytes of JSON, after the session was read
//   GET  /write          the same, after one key of the session was changed

/** The answer of `GET /read`: 300 bytes of JSON. */
export const ANSWER: Readonly<Record<string, unknown>> = Object.freeze({
  id: 4711,
  name: 'Ann Example',
  email: 'ann@example.org',
  role: 'member',
  lastSeen: '2026-11-20T12:00:00.000Z',
  about: 'x'.repeat(177),
})

let count = 0

/** What a write writes: another value each time. */
export function next(): number {
  count++
  return count
}

/** Where Redis is. */
export const redisPort: number = Number(process.env.BENCH_REDIS_PORT)

/** What a handler does between reading a session and answering: long enough that many requests overlap. */
export async function work(): Promise<void> {
  await sleep(1 + Math.random() * 10)
}

/** Reports the port, and from then on the CPU time so far whenever asked. */
export function ready(port: number): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!({ cpuMicros: user + system })
  })
  process.send!({ port })
}
