import { Agent, request } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What became of everything that clients sent. */
export interface LoadResult {
  sent: number
  answered: number
  /** Answers that are not 2xx. */
  refused: number
  /** Sent and never answered in full: the first few reasons. */
  lost: string[]
  /** The same, all of them, by kind of client and reason. */
  reasons: Map<string, number>
  /** Ports from which what was lost was sent; 0 of one that was never connected. */
  lostFrom: number[]
  /** Numbers of POSTs that were answered, in order, for each client. */
  numbers: number[][]
  /** `x-version` of the answers, and how often. */
  versions: Map<string, number>
}

type Kind = 'get' | 'slow-body' | 'large-answer' | 'numbered' | 'tls' | 'h2' | 'events' | 'websocket'

interface Answer {
  status: number
  text: string
  version: string
}

/** What is left of a request that was not answered. */
class Lost extends Error {
  constructor(
    override readonly cause: NodeJS.ErrnoException,
    readonly localPort: number,
  ) {
    super(`${cause.code ?? ''} ${cause.message}`.trim())
  }
}

const LARGE_BYTES = 2_000_000

/** A request that hears nothing for so long is lost. */
const SILENCE_MS = 10_000

/**
 * Clients that keep sending until they are told to stop: short requests over kept-alive connections, bodies that take
 * their time, large answers, POSTs that carry a number (also over TLS and HTTP/2), streams of events and WebSockets that carry numbers.
 *
 * Nothing is ever sent twice, but for a stream that HTTP/2 says nobody has begun with: a request that meets a connection which is just being closed counts as lost. A stream is
 * whole when it ends as the server ends it; a WebSocket when it ends with 1001.
 */
export class Load {
  readonly result: LoadResult = {
    sent: 0,
    answered: 0,
    refused: 0,
    lost: [],
    reasons: new Map(),
    lostFrom: [],
    numbers: [],
    versions: new Map(),
  }
  private stopping = false
  private readonly clients: Promise<void>[] = []

  constructor(
    private readonly url: string,
    private readonly settings: {
      /** Asked before each new connection: whether the balancer in front still sends here. */
      mayConnect?: () => boolean
      pauseMs?: number
      /** For `tls` and `h2`. */
      tlsUrl?: string
    } = {},
  ) {}

  start(clients: Partial<Record<Kind, number>>): this {
    for (const [kind, count] of Object.entries(clients) as [Kind, number][]) {
      for (let client = 0; client < count; client++) this.clients.push(this.run(kind))
    }
    return this
  }

  async stop(): Promise<LoadResult> {
    this.stopping = true
    await Promise.all(this.clients)
    return this.result
  }

  get isAllowed(): boolean {
    return !this.stopping && (this.settings.mayConnect?.() ?? true)
  }

  private async run(kind: Kind): Promise<void> {
    const agent =
      kind === 'tls'
        ? new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
        : new Agent({ keepAlive: true, maxSockets: 1 })
    const session = new Session(this.settings.tlsUrl ?? '')
    const numbers: number[] = []
    const isNumbered = kind === 'numbered' || kind === 'tls' || kind === 'h2'
    if (isNumbered) this.result.numbers.push(numbers)
    for (let number = 1; this.isAllowed; number++) {
      this.result.sent++
      try {
        const { status, text, version } =
          kind === 'websocket'
            ? await this.talk()
            : kind === 'h2'
              ? await session.send(number)
              : await this.send(agent, kind, number)
        this.result.answered++
        if (status < 200 || status > 299) this.result.refused++
        if (isNumbered) numbers.push(Number(text))
        this.result.versions.set(version, (this.result.versions.get(version) ?? 0) + 1)
      } catch (error) {
        const { cause, localPort, message } = error as Lost
        const reason = `${kind}: ${cause?.code ?? message}`
        this.result.lostFrom.push(localPort)
        this.result.reasons.set(reason, (this.result.reasons.get(reason) ?? 0) + 1)
        if (this.result.lost.length < 20) this.result.lost.push(`${kind} ${number}: ${message}`)
      }
      await sleep(this.settings.pauseMs ?? 1)
    }
    agent.destroy()
    session.close()
  }

  private send(agent: Agent, kind: Kind, number: number): Promise<Answer> {
    const body =
      kind === 'numbered' || kind === 'tls' ? String(number) : kind === 'slow-body' ? 'body' : undefined
    return new Promise((resolve, reject) => {
      const path =
        kind === 'large-answer' ? `/large?bytes=${LARGE_BYTES}` : kind === 'events' ? '/events' : '/echo'
      const req = (kind === 'tls' ? tlsRequest : request)(
        (kind === 'tls' ? this.settings.tlsUrl : this.url) + path,
        {
          agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: body === undefined ? {} : { 'content-length': body.length },
        },
      )
      const localPort = portOf(req)
      const lose = (error: NodeJS.ErrnoException): void => reject(new Lost(error, localPort()))
      req.once('error', lose)
      req.setTimeout(SILENCE_MS, () => req.destroy(new Error(`silent for ${SILENCE_MS} ms`)))
      req.once('response', (res) => {
        const chunks: Buffer[] = []
        const answer = (text: string): void =>
          resolve({ status: res.statusCode ?? 0, text, version: String(res.headers['x-version'] ?? '') })
        res.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          if (kind !== 'events' || this.isAllowed) return
          // Its client goes, which is no loss.
          answer('')
          req.destroy()
        })
        res.once('error', lose)
        res.once('end', () => {
          const content = Buffer.concat(chunks)
          if (kind === 'large-answer' && content.length !== LARGE_BYTES) {
            lose(new Error(`answer of ${content.length} bytes`))
          } else if (kind === 'events' && !isWhole(String(content))) {
            lose(new Error(`stream cut after ${content.length} bytes`))
          } else answer(kind === 'large-answer' ? '' : String(content))
        })
      })
      if (kind === 'slow-body') void sendSlowly(req, body!)
      else req.end(body)
    })
  }

  /** One WebSocket, from its opening to its end. Whoever is told to go sends nothing more: what is then under way is said elsewhere. */
  private talk(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url.replace('http', 'ws'))
      let localPort = 0
      let number = 0
      const lose = (error: Error): void => reject(new Lost(error, localPort))
      socket.once('upgrade', (res: { socket: Socket }) => {
        localPort = res.socket.localPort ?? 0
      })
      socket.once('error', lose)
      const next = (): void => {
        if (socket.readyState !== WebSocket.OPEN) return
        if (this.isAllowed) socket.send(String(++number))
        else socket.close(1000)
      }
      socket.once('open', next)
      socket.on('message', (data: Buffer) => {
        if (Number(data) !== number) lose(new Error(`${data} instead of ${number}`))
        setTimeout(next, 5)
      })
      socket.once('close', (code: number) => {
        const isPolite = code === 1001 || (code === 1000 && !this.isAllowed)
        if (isPolite) resolve({ status: 200, text: '', version: '' })
        else lose(new Error(`closed with ${code}`))
      })
    })
  }
}

/** HTTP/2: one session at a time, until its server tells it to go. */
class Session {
  private session: ClientHttp2Session | undefined
  /** From which the last session was opened. */
  private port = 0

  constructor(private readonly url: string) {}

  send(number: number): Promise<Answer> {
    this.session ??= this.open()
    const { session } = this
    return new Promise((resolve, reject) => {
      const lose = (error: Error): void => reject(new Lost(error, this.port))
      const stream = session.request({ ':method': 'POST', ':path': '/echo' })
      let status = 0
      let text = ''
      stream.once('response', (headers) => {
        status = Number(headers[':status'])
      })
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.once('error', (error) => {
        if (stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM) return lose(error)
        // Nobody has begun with it, and clients send it again by themselves (RFC 9113 §8.7).
        if (this.session === session) this.session = undefined
        resolve(this.send(number))
      })
      stream.once('close', () => lose(new Error('closed without an answer')))
      stream.once('end', () => resolve({ status, text, version: '' }))
      stream.setTimeout(SILENCE_MS, () => stream.destroy(new Error(`silent for ${SILENCE_MS} ms`)))
      stream.end(String(number))
    })
  }

  close(): void {
    this.session?.close()
  }

  private open(): ClientHttp2Session {
    this.port = 0
    const session = connectHttp2(this.url, { rejectUnauthorized: false }, (_, socket) => {
      this.port = socket.localPort ?? 0
    })
    const forget = (): void => {
      if (this.session === session) this.session = undefined
    }
    // What it was busy with says so itself.
    session.on('error', forget)
    session.once('close', forget)
    session.once('goaway', () => {
      forget()
      session.close()
    })
    return session
  }
}

/** Known once it is connected; a socket that has ended has forgotten it. */
function portOf(req: ReturnType<typeof request>): () => number {
  let port = 0
  req.once('socket', (socket) => {
    port = socket.localPort ?? 0
    if (socket.connecting) {
      socket.once('connect', () => {
        port = socket.localPort ?? 0
      })
    }
  })
  return () => port
}

/** Numbers without a gap, and an end that the server has written. */
function isWhole(stream: string): boolean {
  const events = stream.split('\n\n')
  return (
    events.at(-2) === 'retry: 10' &&
    events.slice(0, -2).every((event, index) => event === `data: ${index + 1}`)
  )
}

async function sendSlowly(req: ReturnType<typeof request>, body: string): Promise<void> {
  for (const character of body) {
    await sleep(20)
    if (req.destroyed) return
    req.write(character)
  }
  req.end()
}
