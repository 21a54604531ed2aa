import { connect } from 'node:net'

/** Sends requests over keep-alive connections, each as soon as the one before is answered. */
export async function load(
  port: number,
  requests: number,
  request: (number: number) => { path: string; fields?: string },
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  let sent = 0
  const connection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let received = ''
      const next = (): void => {
        if (sent === requests) {
          socket.end(resolve)
          return
        }
        const { path, fields = '' } = request(sent++)
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)
      }
      socket.on('connect', next)
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1')
        const head = received.indexOf('\r\n\r\n')
        if (head === -1) return
        const status = received.slice(9, 12)
        const length = status === '304' ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0)
        if (received.length < head + 4 + length) return
        const cached = /\r\ncache-status: scale; hit/i.test(received) ? ' hit' : ''
        statuses[status + cached] = (statuses[status + cached] ?? 0) + 1
        received = ''
        next()
      })
    })
  await Promise.all(Array.from({ length: 16 }, connection))
  return statuses
}
