// Sends requests over keep-alive connections, as fast as they are answered; driven over IPC.
import { connect } from 'node:net'

export interface Job {
  port: number
  requests: number
  connections: number
}

process.on('message', (job: Job) => {
  run(job).then((answered) => process.send!({ answered }))
})
process.on('disconnect', () => process.exit())

async function run({ port, requests, connections }: Job): Promise<number> {
  let sent = 0
  let answered = 0

  function converse(resolve: () => void, reject: (error: Error) => void): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const send = (): void => {
      if (sent++ < requests) socket.write(`GET /v1/users/${sent} HTTP/1.1\r\nHost: x\r\n\r\n`)
      else socket.end(resolve)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    // An answer of 300 bytes comes in one piece.
    socket.on('data', (chunk) => {
      if (chunk.toString('latin1', 9, 12) === '200') answered++
      send()
    })
  }

  await Promise.all(Array.from({ length: connections }, () => new Promise<void>(converse)))
  return answered
}
