import { Agent, request } from 'node:http'
import type { Contestant } from './start-contestant.js'

// Two races, run against two processes of one contestant. They use nothing but its routes.

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** @returns how many of the keys that `writers` parallel requests set, one each, are not in the session afterwards */
export async function lostKeys(pair: readonly [Contestant, Contestant], writers: number): Promise<number> {
  const cookie = await login(pair[0])
  const keys = Array.from({ length: writers }, (_, index) => `k${index}`)
  await Promise.all(keys.map((key, index) => send(pair[index % 2]!, 'POST', `/set/${key}`, cookie)))
  const seen = await settledKeys(pair[0], cookie)
  return keys.filter((key) => !seen.includes(key)).length
}

/** @returns how many of the sessions are alive after their logout was answered and a slow writer is done */
export async function revivedSessions(
  pair: readonly [Contestant, Contestant],
  sessions: number,
): Promise<number> {
  let revived = 0
  for (let done = 0; done < sessions; done += 50) {
    const round = Array.from({ length: Math.min(50, sessions - done) }, () => logoutRace(pair))
    revived += (await Promise.all(round)).filter(Boolean).length
  }
  return revived
}

async function logoutRace([first, second]: readonly [Contestant, Contestant]): Promise<boolean> {
  const cookie = await login(first)
  const writing = send(first, 'POST', '/set/k', cookie)
  const logout = await send(second, 'POST', '/logout', cookie)
  if (logout.status !== 200) throw new Error(`a logout was answered with ${logout.status}`)
  await writing
  const { user, keys } = await readKeys(second, cookie)
  return user !== null || keys.length > 0
}

/** A save may come after its answer: looks until two looks in a row see the same. */
async function settledKeys(contestant: Contestant, cookie: string): Promise<string[]> {
  let before = -1
  for (;;) {
    const { keys } = await readKeys(contestant, cookie)
    if (keys.length === before) return keys
    before = keys.length
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function login(contestant: Contestant): Promise<string> {
  const { cookie } = await send(contestant, 'POST', '/login')
  if (cookie === undefined) throw new Error(`${contestant.name}: no cookie after the login`)
  return cookie
}

async function readKeys(
  contestant: Contestant,
  cookie: string,
): Promise<{ user: string | null; keys: string[] }> {
  return JSON.parse((await send(contestant, 'GET', '/keys', cookie)).body)
}

interface Reply {
  status: number
  body: string
  cookie: string | undefined
}

function send({ port }: Contestant, method: string, path: string, cookie?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = cookie === undefined ? {} : { cookie }
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (res) => {
      let body = ''
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => {
        resolve({ status: res.statusCode!, body, cookie: res.headers['set-cookie']?.[0]?.split(';')[0] })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}
