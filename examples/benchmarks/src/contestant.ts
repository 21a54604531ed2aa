import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'

const server = fileURLToPath(new URL('server.ts', import.meta.url))
const CONNECTIONS = 16

/** A stack that runs in a process of its own. */
export class Contestant {
  readonly name: string
  readonly #child: ChildProcess
  readonly #port: number
  #request = 'GET /read HTTP/1.1\r\nHost: localhost\r\n\r\n'

  private constructor(name: string, child: ChildProcess, port: number) {
    this.name = name
    this.#child = child
    this.#port = port
  }

  static async start(name: string, redisUrl: string): Promise<Contestant> {
    const child = fork(server, [name, redisUrl], {
      execArgv: ['--conditions=@scale/source', '--import', 'tsx'],
    })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new Contestant(name, child, port)
  }

  /** Requests carry its session from now on. A stack without sessions gets a cookie of no meaning. */
  async logIn(): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/login`, { method: 'POST' })
    const cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? 'theme=dark'
    this.#request = `GET /read HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\n\r\n`
  }

  /** CPU time of its process for one request, in µs, over so many requests. */
  async cpuMicrosPerRequest(requests: number): Promise<number> {
    const before = await this.#cpuMicros()
    const each = requests / CONNECTIONS
    await Promise.all(Array.from({ length: CONNECTIONS }, () => this.#ask(each)))
    return ((await this.#cpuMicros()) - before) / requests
  }

  async stop(): Promise<void> {
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }

  async #cpuMicros(): Promise<number> {
    this.#child.send('cpu')
    const [{ cpuMicros }] = (await once(this.#child, 'message')) as [{ cpuMicros: number }]
    return cpuMicros
  }

  /** Asks again and again over one connection, each time when the one before was answered, and looks at each answer. */
  #ask(times: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = times
      let unread = ''
      const socket = connect(this.#port, '127.0.0.1', () => socket.write(this.#request))
      socket.setNoDelay(true)
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        unread += chunk.toString('latin1')
        if (!unread.includes('"}')) return
        if (!unread.startsWith('HTTP/1.1 200') || !/content-length: 300\r/i.test(unread)) {
          socket.destroy()
          reject(new Error(`${this.name} answered ${unread.slice(0, 60)}`))
          return
        }
        unread = ''
        left--
        if (left > 0) socket.write(this.#request)
        else socket.end(() => resolve())
      })
    })
  }
}
