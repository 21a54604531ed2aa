import { connect, type Socket } from 'node:net'
import type { Contestant } from './start-contestant.js'

/** What reading or changing a session costs. */
export interface Share {
  name: string
  /** CPU on top of the bare answer, divided by the bare answer: the median of all rounds. */
  share: number
  lowest: number
  highest: number
  /** CPU of one bare answer in this run, in µs. */
  bareMicros: number
  micros: number
}

const ROUNDS = 9
const CONNECTIONS = 16
const REQUESTS = 6_000

/**
 * Loads the contestants one after another, round by round, so that a change of the machine's pace meets all of them,
 * and compares the CPU time of their processes.
 */
export async function cpuShares(
  path: '/read' | '/write',
  bare: Contestant,
  contestants: readonly Contestant[],
): Promise<Share[]> {
  const all = [bare, ...contestants]
  const cookies = new Map<Contestant, string>()
  for (const contestant of all) {
    cookies.set(contestant, contestant === bare ? 'theme=dark' : await login(contestant))
    await measure(contestant, path, cookies.get(contestant)!)
  }
  const rounds: Map<Contestant, number>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const micros = new Map<Contestant, number>()
    for (const contestant of all) {
      micros.set(contestant, await measure(contestant, path, cookies.get(contestant)!))
    }
    rounds.push(micros)
  }
  return contestants.map((contestant) => {
    const shares = rounds
      .map((micros) => micros.get(contestant)! / micros.get(bare)! - 1)
      .sort((a, b) => a - b)
    return {
      name: contestant.name,
      share: median(shares),
      lowest: shares[0]!,
      highest: shares.at(-1)!,
      bareMicros: median(rounds.map((micros) => micros.get(bare)!).sort((a, b) => a - b)),
      micros: median(rounds.map((micros) => micros.get(contestant)!).sort((a, b) => a - b)),
    }
  })
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)]!
}

/** CPU time of the contestant for one request, in µs. */
async function measure(contestant: Contestant, path: string, cookie: string): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`
  const before = await contestant.cpuMicros()
  const each = REQUESTS / CONNECTIONS
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(contestant.port, request, each)))
  return ((await contestant.cpuMicros()) - before) / REQUESTS
}

/** Sends a request again and again over one connection, each when the one before was answered. */
function ask(port: number, request: string, times: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = times
    let unread = ''
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      unread += chunk.toString('latin1')
      const head = unread.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = Number(/content-length: (\d+)/i.exec(unread)?.[1])
      if (unread.length < head + 4 + length) return
      if (!unread.startsWith('HTTP/1.1 200') || length !== 300) {
        reject(new Error(`not the answer: ${unread.slice(0, 40)} with ${length} bytes`))
        socket.destroy()
        return
      }
      unread = ''
      left--
      if (left > 0) socket.write(request)
      else {
        socket.destroy()
        resolve()
      }
    })
  })
}

async function login(contestant: Contestant): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${contestant.port}/login`, { method: 'POST' })
  return response.headers.getSetCookie()[0]!.split(';')[0]!
}
