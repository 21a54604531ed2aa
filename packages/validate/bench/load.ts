// Sends requests over keep-alive connections, as fast as they are answered; driven over IPC.
import { connect } from 'node:net'

export interface Job {
  port: number
  requests: number
  connections: number
  /** `bad` has one wrong member in each part. */
  kind: 'good' | 'bad'
}

const requests = {
  good: request('/users/7?page=2&sort=name', { age: 36, email: 'ada@example.org' }),
  bad: request('/users/x?page=two&sort=name', { age: 17, email: 'ada@example.org' }),
}

process.on('message', (job: Job) => {
  run(job).then((statuses) => process.send!({ statuses }))
})
process.on('disconnect', () => process.exit())

function request(path: string, members: object): string {
  const body = JSON.stringify({ name: 'Ada Lovelace', tags: ['a', 'b', 'c'], ...members })
  return [
    `POST ${path} HTTP/1.1`,
    'Host: x',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}

async function run({ port, requests: total, connections, kind }: Job): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  let sent = 0

  function converse(resolve: () => void, reject: (error: Error) => void): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    const send = (): void => {
      if (sent++ < total) socket.write(requests[kind])
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
      const status = received.slice(9, 12)
      statuses[status] = (statuses[status] ?? 0) + 1
      received = ''
      send()
    })
  }

  await Promise.all(Array.from({ length: connections }, () => new Promise<void>(converse)))
  return statuses
}
