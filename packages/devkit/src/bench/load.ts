import { connect, type Socket } from 'node:net'
import type { RequestText } from './variant.js'

/** What is sent in one go. */
export interface Load {
  readonly requests: number
  readonly request: RequestText
  /** Sees each answer, head and body, as Latin-1. */
  readonly onAnswer: (answer: string) => void
}

/** Keep-alive connections to one server, on each of which a request follows as soon as the one before is answered. */
export class LoadClient {
  readonly #lines: readonly Line[]
  #sent = 0

  private constructor(lines: readonly Line[]) {
    this.#lines = lines
  }

  static async connect(port: number, connections: number): Promise<LoadClient> {
    return new LoadClient(await Promise.all(Array.from({ length: connections }, () => Line.open(port))))
  }

  /**
   * Requests are numbered on from the last time.
   *
   * @throws {Error} a connection broke before its answer was whole
   */
  async send({ requests, request, onAnswer }: Load): Promise<void> {
    let left = requests
    await Promise.all(
      this.#lines.map(async (line) => {
        while (left-- > 0) onAnswer(await line.ask(request(this.#sent++)))
      }),
    )
  }

  close(): void {
    for (const line of this.#lines) line.close()
  }
}

/** One connection, on which one request is under way at a time. */
class Line {
  readonly #socket: Socket
  #received = ''
  #resolve: (answer: string) => void = () => {}
  #reject: (error: Error) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      this.#received += text
      if (!isWhole(this.#received)) return
      const answer = this.#received
      this.#received = ''
      this.#resolve(answer)
    })
    socket.on('error', (error) => this.#reject(error))
    socket.on('close', () =>
      this.#reject(new Error(`a connection was closed: ${this.#received.slice(0, 100)}`)),
    )
  }

  static open(port: number): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        socket.off('error', reject)
        resolve(new Line(socket))
      })
      socket.on('error', reject)
    })
  }

  ask(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }
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
