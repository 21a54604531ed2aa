// Sends requests over keep-alive connections, as fast as they are answered: `load.ts`, driven over IPC.
import { connect } from 'node:net'

export interface Job {
  port: number
  requests: number
  connections: number
  /** Number of client addresses that the requests come from. */
  clients: number
}

process.on('message', (job: Job) => {
  run(job).then((statuses) => process.send!({ statuses }))
})
process.on('disconnect', () => process.exit())

async function run({ port, requests, connections, clients }: Job): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  let sent = 0
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect({ port, host: '127.0.0.1', noDelay: true })
          let received = ''
          const send = (): void => {
            if (sent === requests) {
              socket.end(resolve)
              return
            }
            const client = sent++ % clients
            socket.write(
              `GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.${(client >> 16) & 255}.${(client >> 8) & 255}.${client & 255}\r\n\r\n`,
            )
          }
          socket.on('connect', send)
          socket.on('error', reject)
          socket.on('data', (chunk) => {
            received += chunk.toString('latin1')
            const head = received.indexOf('\r\n\r\n')
            if (head === -1) return
            const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0)
            if (received.length < head + 4 + length) return
            const status = received.slice(9, 12)
            statuses[status] = (statuses[status] ?? 0) + 1
            received = ''
            send()
          })
        }),
    ),
  )
  return statuses
}
