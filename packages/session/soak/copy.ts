// One of several processes: keeps writing to sessions of its own over a client with its defaults, and holds each answer against what
// was acknowledged before. `report` in, what happened since the last one out.
import { setTimeout as sleep } from 'node:timers/promises'
import { createRedis, whenReady } from '@scale/redis'
import { session } from '../src/index.js'
import type { Report } from './report.js'

const [url, name] = process.argv.slice(2) as [string, string]
const SESSIONS = 16
/** A write now and then, so that 4 processes with 16 sessions each make some 2,000 operations a second. */
const PACE_MS = 25
/** Every so many writes a session is ended, and another begun. */
const LIFE = 40
/** How long a session that was ended is looked for again, in ms. */
const LOOKED_FOR_MS = 60_000
/** A time without any answer that is worth telling, in ms. */
const GAP_MS = 200

const redis = createRedis(url)
await whenReady(redis, 30_000)
const sessions = session<{ n?: number }>({ redis })
const load = (token: string) => sessions.load({ cookie: `__Host-session=${token}` })

let report = fresh()
let answeredAt = Date.now()
/** Acknowledged logouts. */
let ended: { readonly token: string; readonly at: number }[] = []

function fresh(): Report {
  return { answers: 0, refused: 0, gaps: [], lost: [], revived: [] }
}

function answered(): void {
  const now = Date.now()
  if (now - answeredAt > GAP_MS) report.gaps.push([answeredAt, now])
  answeredAt = now
  report.answers++
}

/** Whether it was answered; what was refused is asked again later. */
async function tried(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    answered()
    return true
  } catch (error) {
    const { status } = error as { status?: number }
    // 401 and 409: what another copy of the data knows, which the next load shows.
    if (status !== 503 && status !== 409 && status !== 401) throw error
    if (status === 503) report.refused++
    return false
  }
}

async function live(lane: number): Promise<never> {
  for (let life = 0; ; life++) {
    let token = ''
    /** When each value was acknowledged; 0 is the login. */
    const acknowledged = new Map<number, number>()
    const begin = async (): Promise<void> => {
      token = await login(`${name}-${lane}-${life}`)
    }
    while (!(await tried(begin))) await sleep(PACE_MS)
    acknowledged.set(0, Date.now())
    for (let step = 0; step < LIFE; step++) {
      await sleep(PACE_MS * (0.5 + Math.random()))
      let isGone = false
      await tried(async () => {
        const one = await load(token)
        isGone = one.userId === undefined
        const found = isGone ? -1 : (one.data.n ?? 0)
        for (const [value, at] of acknowledged) {
          if (value <= found) continue
          report.lost.push(at)
          acknowledged.delete(value)
        }
        if (isGone) return
        one.data.n = found + 1
        await one.save()
        acknowledged.set(found + 1, Date.now())
      })
      if (isGone) break
    }
    await tried(async () => {
      const one = await load(token)
      if (one.userId === undefined) return
      await one.destroy()
      ended.push({ token, at: Date.now() })
    })
  }
}

async function login(user: string): Promise<string> {
  return (await (await sessions.load({})).login(user)).token
}

/** Looks again for sessions that were ended. */
async function look(): Promise<never> {
  for (;;) {
    const now = Date.now()
    ended = ended.filter(({ at }) => now - at < LOOKED_FOR_MS)
    for (const one of [...ended]) {
      await tried(async () => {
        if ((await load(one.token)).userId === undefined) return
        report.revived.push(one.at)
        ended = ended.filter((other) => other !== one)
      })
      await sleep(5)
    }
    await sleep(PACE_MS)
  }
}

process.on('message', () => {
  answeredGap()
  process.send!(report)
  report = fresh()
})

/** A time without answers that has not ended yet is told as well. */
function answeredGap(): void {
  const now = Date.now()
  if (now - answeredAt > GAP_MS) report.gaps.push([answeredAt, now])
}

for (let lane = 0; lane < SESSIONS; lane++) void live(lane)
void look()
process.send!('ready')
