import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

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
  /** Numbers of POSTs that were answered, in order, for each client. */
  numbers: number[][]
  /** `x-version` of the answers, and how often. */
  versions: Map<string, number>
}

type Kind = 'get' | 'slow-body' | 'large-answer' | 'numbered'

const LARGE_BYTES = 2_000_000

/** A request that hears nothing for so long is lost. */
const SILENCE_MS = 10_000

/**
 * Clients that keep sending until they are told to stop: short requests over kept-alive connections, bodies that take
 * their time, large answers, and POSTs that carry a number.
 *
 * Nothing is ever sent twice: a request that meets a connection which is just being closed counts as lost.
 */
export class Load {
  readonly result: LoadResult = {
    sent: 0,
    answered: 0,
    refused: 0,
    lost: [],
    reasons: new Map(),
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
    } = {},
  ) {}

  start(clients: Record<Kind, number>): this {
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
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const numbers: number[] = []
    if (kind === 'numbered') this.result.numbers.push(numbers)
    for (let number = 1; this.isAllowed; number++) {
      this.result.sent++
      try {
        const { status, text, version } = await this.send(agent, kind, number)
        this.result.answered++
        if (status < 200 || status > 299) this.result.refused++
        if (kind === 'numbered') numbers.push(Number(text))
        this.result.versions.set(version, (this.result.versions.get(version) ?? 0) + 1)
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        const reason = `${kind}: ${code ?? message}`
        this.result.reasons.set(reason, (this.result.reasons.get(reason) ?? 0) + 1)
        if (this.result.lost.length < 20) this.result.lost.push(`${kind} ${number}: ${code ?? ''} ${message}`)
      }
      await sleep(this.settings.pauseMs ?? 1)
    }
    agent.destroy()
  }

  private send(
    agent: Agent,
    kind: Kind,
    number: number,
  ): Promise<{ status: number; text: string; version: string }> {
    const body = kind === 'numbered' ? String(number) : kind === 'slow-body' ? 'body' : undefined
    return new Promise((resolve, reject) => {
      const path = kind === 'large-answer' ? `/large?bytes=${LARGE_BYTES}` : '/echo'
      const req = request(this.url + path, {
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? {} : { 'content-length': body.length },
      })
      req.once('error', reject)
      req.setTimeout(SILENCE_MS, () => req.destroy(new Error(`silent for ${SILENCE_MS} ms`)))
      req.once('response', (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.once('error', reject)
        res.once('end', () => {
          const content = Buffer.concat(chunks)
          if (kind === 'large-answer' && content.length !== LARGE_BYTES) {
            reject(new Error(`answer of ${content.length} bytes`))
            return
          }
          const version = String(res.headers['x-version'] ?? '')
          resolve({
            status: res.statusCode ?? 0,
            text: kind === 'large-answer' ? '' : String(content),
            version,
          })
        })
      })
      if (kind === 'slow-body') void sendSlowly(req, body!)
      else req.end(body)
    })
  }
}

async function sendSlowly(req: ReturnType<typeof request>, body: string): Promise<void> {
  for (const character of body) {
    await sleep(20)
    if (req.destroyed) return
    req.write(character)
  }
  req.end()
}
