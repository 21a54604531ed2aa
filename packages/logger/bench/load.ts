// Sends requests over keep-alive connections, as fast as they are answered; driven over IPC.
import { connect } from 'node:net'

export interface Job {
  port: number
  requests: number
  connections: number
}

const request = [
  'GET /users/42 HTTP/1.1',
  'Host: api.example.org',
  'User-Agent: bench/1.0',
  'Accept: application/json',
  'Accept-Encoding: gzip',
  'Authorization: Bearer 4ae7c1d0f3b94f1f8a5d2c9b7e6f1a2b',
  'Connection: keep-alive',
  '',
  '',
].join('\r\n')

process.on('message', (job: Job) => {
  run(job).then((answered) => process.send!({ answered }))
})
process.on('disconnect', () => process.exit())

async function run({ port, requests, connections }: Job): Promise<number> {
  let sent = 0
  let answered = 0

  function converse(resolve: () => void, reject: (error: Error) => void): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    const send = (): void => {
      if (sent++ < requests) socket.write(request)
      else socket.end(resolve)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0)
      if (received.length < head + 4 + length) return
      if (received.startsWith('HTTP/1.1 200')) answered++
      received = ''
      send()
    })
  }

  await Promise.all(Array.from({ length: connections }, () => new Promise<void>(converse)))
  return answered
}
