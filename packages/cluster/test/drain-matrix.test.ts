import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { nodeBinary } from '@scale/devkit/npm-package'
import { describe, expect, test } from 'vitest'
import { type AppProcess, startApp } from './app-process.js'

const nodes = [
  ['this Node', process.execPath],
  ['Node 22', await nodeBinary(22)],
  ['Node 24', await nodeBinary(24)],
] as const

const LINGER_MS = 600
// All are told at once: what each sees is then known.
const options = { lingerMs: LINGER_MS, spreadMs: 0, timeoutMs: 8_000, abortAfterMs: 2_000 }

describe.concurrent.each(nodes)('%s: what each client of a server that drains sees', (_, node) => {
  test.for(['http', 'https'])('%s', async (kind, { expect }) => {
    const app = await startApp({ kind, options }, { node, fixture: 'drain-server' })
    const { port } = await app.said('listening')
    const open = (): Promise<Peer> => Peer.open(kind === 'https', port as number)

    const slowBody = await open()
    slowBody.send('POST /slow-body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nb')
    const events = await open()
    events.send(get('/events'))
    const inFlight = await open()
    inFlight.send(get('/in-flight?ms=2500'))
    const pipelined = await open()
    pipelined.send(get('/first?ms=2500') + get('/second?ms=2600'))
    const idle = await open()
    const sender = await open()
    for (const peer of [idle, sender]) peer.send(get('/once'))
    const halfSent = await open()
    halfSent.send('GET /half HTTP/1.1\r\nHo')
    const silent = await open()
    const handshaking = connect(port as number, '127.0.0.1')
    const webSocket = await open()
    webSocket.send(
      'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    await Promise.all([
      events.said('hello'),
      idle.said('[/once]'),
      sender.said('[/once]'),
      webSocket.said('101 '),
    ])
    await app.said('request', { path: '/slow-body' })
    await app.said('request', { path: '/in-flight?ms=2500' })
    await app.said('request', { path: '/second?ms=2600' })
    await app.said('connection', {}, 10)

    process.kill(app.pid, 'SIGTERM')
    await app.said('draining')
    sender.send(get('/again'))
    await sleep(LINGER_MS / 3)
    slowBody.send('ody')
    halfSent.send('st: a\r\n\r\n')
    await webSocket.said('\x88\x02\x03\xe9')
    webSocket.send(Buffer.from([0x88, 0x80, 0, 0, 0, 0]))

    const seen = await whatTheySaw({
      slowBody,
      events,
      inFlight,
      pipelined,
      idle,
      sender,
      halfSent,
      silent,
      webSocket,
    })
    expect(seen).toEqual({
      slowBody: { answers: ['[/slow-bodybody]'], close: 1, end: 'FIN' },
      events: { answers: [], close: 0, end: 'FIN' },
      inFlight: { answers: ['[/in-flight]'], close: 1, end: 'FIN' },
      pipelined: { answers: ['[/first]', '[/second]'], close: 1, end: 'FIN' },
      idle: { answers: ['[/once]'], close: 0, end: 'FIN' },
      sender: { answers: ['[/once]', '[/again]'], close: 1, end: 'FIN' },
      halfSent: { answers: ['[/half]'], close: 1, end: 'FIN' },
      silent: { answers: [], close: 0, end: 'FIN' },
      webSocket: { answers: [], close: 0, end: 'FIN' },
    })
    expect(events.text).toContain('bye')
    await expectClean(app)
    handshaking.destroy()
  })

  test.for(['h2', 'h2c'])('%s', async (kind, { expect }) => {
    const app = await startApp({ kind, options }, { node, fixture: 'drain-server' })
    const { port } = await app.said('listening')
    const origin = `${kind === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`
    const open = async (): Promise<ClientHttp2Session> => {
      const session = connectHttp2(origin, { rejectUnauthorized: false })
      await once(session, 'connect')
      return session
    }
    const busy = await open()
    const answers = [fetchHttp2(busy, '/in-flight?ms=2500'), fetchHttp2(busy, '/slow-body', 'body')]
    const events = await open()
    const eventStream = fetchHttp2(events, '/events')
    const idle = await open()
    await fetchHttp2(idle, '/once')
    const silent = await open()
    const neverSpoke = connect(port as number, '127.0.0.1')
    await app.said('request', { path: '/events' })
    await app.said('request', { path: '/in-flight?ms=2500' })
    await app.said('request', { path: '/slow-body' })
    await app.said('connection', {}, 5)

    const gone = Promise.all([busy, events, idle, silent].map((session) => once(session, 'close')))
    const goaway = once(idle, 'goaway')
    process.kill(app.pid, 'SIGTERM')
    expect((await goaway)[0]).toBe(0)
    expect(await Promise.all(answers)).toEqual(['[/in-flight]', '[/slow-bodybody]'])
    expect(await eventStream).toBe('data: hello\n\ndata: bye\n\n')
    await gone
    await expectClean(app)
    neverSpoke.destroy()
  })
})

describe.concurrent.each(nodes)('%s: what holds a drain up to its end is destroyed and named', (_, node) => {
  const held = { lingerMs: 100, timeoutMs: 700 }

  test('a request', async ({ expect }) => {
    const app = await startApp({ kind: 'http', options: held }, { node, fixture: 'drain-server' })
    const peer = await Peer.open(false, (await app.said('listening')).port as number)
    peer.send(get('/in-flight?ms=60000'))
    await app.said('request')
    process.kill(app.pid, 'SIGTERM')
    const { forced } = await app.said('drained')
    expect(forced).toEqual([{ kind: 'request', route: 'GET', ageMs: expect.any(Number) }])
    expect((await peer.saw()).answers).toEqual([])
  })

  test.for(['h2', 'h2c'])('a stream of %s', async (kind, { expect }) => {
    const app = await startApp({ kind, options: held }, { node, fixture: 'drain-server' })
    const { port } = await app.said('listening')
    const session = connectHttp2(`${kind === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`, {
      rejectUnauthorized: false,
    })
    const answer = fetchHttp2(session, '/in-flight?ms=60000')
    await app.said('request')
    process.kill(app.pid, 'SIGTERM')
    const [{ forced }] = await Promise.all([app.said('drained'), expect(answer).rejects.toThrow()])
    expect(forced).toEqual([{ kind: 'http2', route: '', ageMs: expect.any(Number) }])
  })
})

async function expectClean(app: AppProcess): Promise<void> {
  const report = await app.said('drained')
  expect(report.forced).toEqual([])
  // Ended by the last answer, not by the time limit.
  expect(report.tookMs).toBeLessThan(options.timeoutMs)
  expect(await app.exited).toEqual({ code: 0, signal: null })
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
}

async function fetchHttp2(session: ClientHttp2Session, path: string, body?: string): Promise<string> {
  const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST' })
  stream.end(body)
  stream.setEncoding('utf8')
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

interface Seen {
  answers: string[]
  /** How many answers said `Connection: close`. */
  close: number
  end: string
}

async function whatTheySaw(peers: Record<string, Peer>): Promise<Record<string, Seen>> {
  const entries = Object.entries(peers).map(async ([name, peer]) => [name, await peer.saw()] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** A client that sends what it is told and remembers what came. */
class Peer {
  text = ''
  private readonly ended: Promise<string>

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      this.text += chunk
    })
    this.ended = new Promise((resolve) => {
      socket.once('end', () => resolve('FIN'))
      socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'error'))
    })
  }

  static async open(isSecure: boolean, port: number): Promise<Peer> {
    const socket = isSecure
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
      : connect(port, '127.0.0.1')
    await once(socket, isSecure ? 'secureConnect' : 'connect')
    return new Peer(socket)
  }

  send(data: string | Buffer): void {
    this.socket.write(data)
  }

  async said(text: string): Promise<void> {
    while (!this.text.includes(text)) await Promise.race([once(this.socket, 'data'), this.mustGoOn()])
  }

  async saw(): Promise<Seen> {
    const end = await this.ended
    return {
      answers: this.text.match(/\[[^\]]*\]/g) ?? [],
      close: this.text.match(/connection: close/gi)?.length ?? 0,
      end,
    }
  }

  private async mustGoOn(): Promise<never> {
    throw new Error(`connection ended (${await this.ended}) after: ${this.text}`)
  }
}
