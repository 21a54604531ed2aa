import { connect } from 'node:net'
import type { RequestText } from './variant.js'

/** Load on one server. */
export interface Load {
  readonly port: number
  readonly requests: number
  readonly connections: number
  readonly request: RequestText
  /** Number of the first request. */
  readonly first: number
  /** Sees each answer, head and body, as Latin-1. */
  readonly onAnswer: (answer: string) => void
}

/**
 * Sends requests over keep-alive connections, on each as soon as the one before is answered.
 *
 * @throws {Error} a connection broke, or ended before its answer
 */
export async function sendLoad({
  port,
  requests,
  connections,
  request,
  first,
  onAnswer,
}: Load): Promise<void> {
  let sent = 0

  function converse(resolve: () => void, reject: (error: Error) => void): void {
    let received = ''
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const send = (): void => {
      if (sent < requests) socket.write(request(first + sent++), 'latin1')
      else socket.end(resolve)
    }
    socket.setEncoding('latin1')
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('end', () => reject(new Error(`the server closed the connection: ${received.slice(0, 100)}`)))
    socket.on('data', (text) => {
      received += text
      if (!isWhole(received)) return
      onAnswer(received)
      received = ''
      send()
    })
  }

  await Promise.all(Array.from({ length: connections }, () => new Promise<void>(converse)))
}

/** Whether an answer has come to its end. Enough for servers that give a length, or send a chunked body of little. */
function isWhole(received: string): boolean {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return false
  const status = received.slice(9, 12)
  if (status === '304' || status === '204') return true
  const length = /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head + 2))
  if (length !== null) return received.length >= head + 4 + Number(length[1])
  return received.endsWith('\r\n0\r\n\r\n')
}
