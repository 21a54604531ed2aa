import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What went to Redis, seen on the wire. */
export interface Traffic {
  /** Names of commands in lower case, in order; of a script, its first argument's place: `evalsha`. */
  commands: string[]
  /** How often something was sent after everything before had been answered. */
  roundTrips: number
}

/** A way to Redis on which everything is counted. */
export interface CountingProxy {
  readonly url: string
  /** What went by since the last call. */
  take(): Traffic
  close(): Promise<void>
}

/** @param port  where Redis listens on 127.0.0.1 */
export async function startCountingProxy(port: number): Promise<CountingProxy> {
  let traffic: Traffic = { commands: [], roundTrips: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1')
    sockets.add(client).add(redis)
    let answered = true
    let unread = ''
    client.on('data', (chunk) => {
      if (answered) traffic.roundTrips++
      answered = false
      unread = readCommands(unread + chunk.toString('latin1'), traffic.commands)
      redis.write(chunk)
    })
    redis.on('data', (chunk) => {
      answered = true
      client.write(chunk)
    })
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      from.on('error', () => {})
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take: () => {
      const taken = traffic
      traffic = { commands: [], roundTrips: 0 }
      return taken
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Takes whole commands from the front of RESP2 text, and returns what is left. */
function readCommands(text: string, commands: string[]): string {
  let at = 0
  for (;;) {
    const start = at
    const head = /^\*(\d+)\r\n/.exec(text.slice(at, at + 16))
    if (head === null) return text.slice(start)
    at += head[0].length
    let name = ''
    for (let i = 0; i < Number(head[1]); i++) {
      const length = /^\$(\d+)\r\n/.exec(text.slice(at, at + 16))
      if (length === null) return text.slice(start)
      at += length[0].length
      const end = at + Number(length[1])
      if (text.length < end + 2) return text.slice(start)
      if (i === 0) name = text.slice(at, end).toLowerCase()
      at = end + 2
    }
    commands.push(name)
  }
}
