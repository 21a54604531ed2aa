import { connect, createServer, type Server, type Socket } from 'node:net'

/** How long the server is left alone after a connection went in the middle of its turn, in ms: it rolls back. */
const ROLLBACK_MS = 50
/** `ReadyForQuery`, outside of a transaction: the last that a server says of a turn. */
const IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
const TERMINATE = 0x58

/**
 * Stands before a PostgreSQL that serves all connections by one session, and lets them in one after the other: a turn lasts from a
 * connection's first message until the server is ready again, and not in a transaction. Without it the messages of two
 * connections mix, and one executes what the other has bound.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */
export function inTurns(port: number): Server {
  const waiting: (() => void)[] = []
  let isTaken = false
  const take = (begin: () => void): void => {
    if (isTaken) return void waiting.push(begin)
    isTaken = true
    begin()
  }
  const giveBack = (): void => {
    const next = waiting.shift()
    if (next === undefined) isTaken = false
    else next()
  }
  return createServer((client) => serve(client, port, take, giveBack))
}

function serve(client: Socket, port: number, take: (begin: () => void) => void, giveBack: () => void): void {
  const server = connect(port, '127.0.0.1')
  let state: 'idle' | 'waiting' | 'in turn' | 'gone' = 'idle'
  let held: Buffer[] = []
  let tail = Buffer.alloc(0)

  client.on('data', (chunk: Buffer) => {
    if (state === 'in turn') return void server.write(chunk)
    // It only says goodbye: its end says the same.
    if (state === 'idle' && chunk[0] === TERMINATE) return
    held.push(chunk)
    if (state === 'waiting') return
    state = 'waiting'
    take(() => {
      if (state === 'gone') return giveBack()
      state = 'in turn'
      server.write(Buffer.concat(held))
      held = []
    })
  })
  server.on('data', (chunk: Buffer) => {
    client.write(chunk)
    tail = Buffer.concat([tail, chunk]).subarray(-IDLE.length)
    if (state !== 'in turn' || !tail.equals(IDLE)) return
    state = 'idle'
    giveBack()
  })
  const end = (): void => {
    client.destroy()
    server.destroy()
    if (state === 'in turn') setTimeout(giveBack, ROLLBACK_MS)
    state = 'gone'
  }
  for (const socket of [client, server]) socket.on('error', end).on('close', end)
}
