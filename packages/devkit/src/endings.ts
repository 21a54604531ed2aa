import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2, { type ClientHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'

/** What the cases need of the package that they test. */
export interface EndingTools {
  cut(carrier: object, cause: 'drain' | 'deadline'): void
  fail(req: IncomingMessage, res: ServerResponse, error: unknown): void
}

interface Expected {
  cause: string
  side: 'client' | 'server' | undefined
  /** Of the answer; `undefined` if none began. */
  status: number | undefined
}

/** One way in which a request over HTTP/1.1 can end. */
export interface Http1Ending extends Expected {
  name: string
  configure?(server: http.Server): void
  serve(req: IncomingMessage, res: ServerResponse, tools: EndingTools): void
  /** What the client sends. Default: a GET */
  request?: string
  /** What it sends once the server has begun. */
  rest?: string
  /** What the client does. Default: it reads to the end */
  client?(client: Client): void | Promise<void>
}

/** One way in which a stream of HTTP/2 can end. */
export interface Http2Ending extends Expected {
  name: string
  configure?(server: http2.Http2Server): void
  serve(req: http2.Http2ServerRequest, res: http2.Http2ServerResponse, tools: EndingTools): void
  client?(stream: ClientHttp2Stream, begun: Promise<unknown>): void | Promise<void>
}

/** The client's side of a connection. */
export interface Client {
  socket: Socket
  /** Resolves when the server has the request. */
  begun: Promise<unknown>
  /** Resolves when this text has come. */
  received(text: string): Promise<void>
}

const HOST = 'Host: a\r\n'
const GET = `GET /ending HTTP/1.1\r\n${HOST}\r\n`
const LARGE = Buffer.alloc(32 * 1_048_576)
const HALF_A_BODY = `POST /ending HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhalf`

const half: Http1Ending['serve'] = (_req, res) => {
  res.writeHead(200, { 'content-length': 10 })
  res.write('half')
}
/** Half an answer, and what happens once the system has it. */
const halfAndThen =
  (then: Http1Ending['serve']): Http1Ending['serve'] =>
  (req, res, tools) => {
    res.writeHead(200, { 'content-length': 10 })
    res.write('half', () => then(req, res, tools))
  }
const silent = (): void => {}
const upstream = (): Error =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })

const answered = (status: number): Expected => ({ cause: 'answered', side: undefined, status })
const client = (cause: string, status?: number): Expected => ({ cause, side: 'client', status })
const server = (cause: string, status?: number): Expected => ({ cause, side: 'server', status })

/** Every way in which HTTP/1.1 can end, by whose doing. */
export const http1Endings: readonly Http1Ending[] = [
  { name: 'an answer', ...answered(200), serve: (_req, res) => void res.end('x') },
  {
    name: 'an answer in chunks',
    ...answered(200),
    serve: (_req, res) => void res.write('x', () => res.end()),
  },
  { name: 'an answer without a body', ...answered(304), serve: (_req, res) => void res.writeHead(304).end() },
  {
    name: 'an answer after which the server closes',
    ...answered(200),
    serve: (_req, res) => void res.setHeader('connection', 'close').end('x'),
  },
  {
    name: 'an answer to a body that nobody read',
    ...answered(413),
    request: `POST /ending HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`,
    serve: (_req, res) => void res.writeHead(413, { connection: 'close' }).end(),
  },
  {
    name: 'an answer of the server that failed',
    ...answered(500),
    serve: (_req, res) => void res.writeHead(500).end('x'),
  },
  {
    name: 'a client that closes before the answer',
    ...client('left'),
    serve: silent,
    client: async ({ socket, begun }) => {
      await begun
      socket.end()
    },
  },
  {
    name: 'a client that resets before the answer',
    ...client('left'),
    serve: silent,
    client: async ({ socket, begun }) => {
      await begun
      socket.resetAndDestroy()
    },
  },
  {
    name: 'a client that closes in the middle of what it sends',
    ...client('left'),
    request: HALF_A_BODY,
    serve: (req) => void req.on('error', silent).resume(),
    client: async ({ socket, begun }) => {
      await begun
      socket.end()
    },
  },
  {
    name: 'a client that closes, which the server passes on as an error',
    ...client('left'),
    request: HALF_A_BODY,
    serve: (req, res, { fail }) =>
      void req
        .on('error', (error) => {
          fail(req, res, error)
          res.destroy(error)
        })
        .resume(),
    client: async ({ socket, begun }) => {
      await begun
      socket.end()
    },
  },
  {
    name: 'a client that closes in the middle of the answer',
    ...client('left', 200),
    serve: half,
    client: async ({ socket, received }) => {
      await received('half')
      socket.end()
    },
  },
  {
    name: 'a client that resets in the middle of the answer',
    ...client('left', 200),
    serve: half,
    client: async ({ socket, received }) => {
      await received('half')
      socket.resetAndDestroy()
    },
  },
  {
    name: 'a client that resets an answer that was ended',
    ...client('left', 200),
    serve: (_req, res) => void res.end(LARGE),
    client: async ({ socket, begun }) => {
      socket.pause()
      await begun
      socket.resetAndDestroy()
    },
  },
  {
    name: 'a client that leaves a stream of events',
    ...client('left', 200),
    serve: (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => res.write('data: half\n\n'), 5)
      res.on('close', () => clearInterval(timer))
    },
    client: async ({ socket, received }) => {
      await received('half')
      socket.destroy()
    },
  },
  {
    name: 'a stream of events that the server ends',
    ...answered(200),
    serve: (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write('data: half\n\n', () => res.end())
    },
  },
  {
    name: 'a body that is no HTTP',
    ...client('malformed'),
    request: `POST /ending HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    rest: 'zz\r\n',
    serve: (req) => void req.on('error', silent).resume(),
  },
  {
    name: 'a client that sends too slowly',
    ...client('stalled'),
    configure: (server) => {
      server.headersTimeout = 50
      server.requestTimeout = 50
    },
    request: HALF_A_BODY,
    serve: (req) => void req.on('error', silent).resume(),
  },
  {
    name: 'a timeout while the client sends nothing of what the server reads',
    ...client('stalled'),
    request: HALF_A_BODY,
    serve: (req) => {
      req.on('error', silent).resume()
      req.socket.setTimeout(50)
    },
  },
  {
    name: 'a timeout while the client does not read',
    ...client('stalled', 200),
    serve: (req, res) => {
      res.end(LARGE)
      req.socket.setTimeout(200)
    },
    client: ({ socket }) => void socket.pause(),
  },
  {
    name: 'a timeout while the server answers nothing',
    ...server('timeout'),
    configure: (server) => void server.setTimeout(100),
    serve: silent,
  },
  {
    name: 'a timeout of the response',
    ...server('timeout'),
    serve: (_req, res) => void res.setTimeout(50, () => res.destroy()),
  },
  {
    name: 'a timeout in the middle of the answer',
    ...server('timeout', 200),
    configure: (server) => void server.setTimeout(100),
    serve: half,
  },
  {
    name: 'a timeout before the server reads a body',
    ...server('timeout'),
    configure: (server) => void server.setTimeout(100),
    request: HALF_A_BODY,
    serve: (req) => void req.on('error', silent),
  },
  { name: 'a response that is destroyed', ...server('cut'), serve: (_req, res) => void res.destroy() },
  { name: 'a socket that is ended', ...server('cut'), serve: (req) => void req.socket.end() },
  {
    name: 'a socket that is ended in the middle',
    ...server('cut', 200),
    serve: halfAndThen((req) => void req.socket.end()),
  },
  {
    name: 'a socket that is destroyed in the middle',
    ...server('cut', 200),
    serve: halfAndThen((req) => void req.socket.destroy()),
  },
  {
    name: 'an answer that was ended, and its socket destroyed',
    ...server('cut', 200),
    serve: (req, res) => {
      res.end(LARGE)
      setImmediate(() => req.socket.destroy())
    },
    client: ({ socket }) => void socket.pause(),
  },
  {
    name: 'a failure before the answer',
    ...server('error'),
    serve: (_req, res) => void res.on('error', silent).destroy(new Error('no')),
  },
  {
    name: 'a failure in the middle',
    ...server('error', 200),
    serve: halfAndThen((_req, res) => void res.on('error', silent).destroy(new Error('no'))),
  },
  {
    name: 'a call to another service that was reset, passed on',
    ...server('error', 200),
    serve: halfAndThen((_req, res) => void res.on('error', silent).destroy(upstream())),
  },
  {
    name: 'a place to store that fails while the client sends',
    ...server('error'),
    request: HALF_A_BODY,
    serve: (req) => void req.on('error', silent).destroy(new Error('disk full')),
  },
  {
    name: 'a file that is missing',
    ...server('error'),
    serve: (_req, res) => void pipeline(createReadStream('/no/such/file'), res, silent),
  },
  {
    name: 'an error that was told, and a cut',
    ...server('error', 200),
    serve: halfAndThen((req, res, { fail }) => {
      fail(req, res, new Error('no'))
      req.socket.destroy()
    }),
  },
  {
    name: 'a drain',
    ...server('drain', 200),
    serve: halfAndThen((req, _res, { cut }) => {
      cut(req.socket, 'drain')
      req.socket.destroy()
    }),
  },
  {
    name: 'a deadline',
    ...server('deadline'),
    serve: (req, _res, { cut }) => {
      cut(req.socket, 'deadline')
      req.socket.destroy()
    },
  },
]

/** Every way in which a stream of HTTP/2 can end, by whose doing. */
export const http2Endings: readonly Http2Ending[] = [
  { name: 'an answer', ...answered(200), serve: (_req, res) => void res.end('x') },
  { name: 'an answer without a body', ...answered(204), serve: (_req, res) => void res.writeHead(204).end() },
  {
    name: 'a client that cancels before the answer',
    ...client('left'),
    serve: silent,
    client: async (stream, begun) => {
      await begun
      stream.close(http2.constants.NGHTTP2_CANCEL)
    },
  },
  {
    name: 'a client that cancels in the middle',
    ...client('left', 200),
    serve: (_req, res) => void res.write('half'),
    client: async (stream) => {
      await once(stream, 'data')
      stream.close(http2.constants.NGHTTP2_CANCEL)
    },
  },
  {
    name: 'a client whose connection is gone',
    ...client('left'),
    serve: silent,
    client: async (stream, begun) => {
      await begun
      stream.session!.destroy()
    },
  },
  {
    name: 'a client whose connection is reset in the middle',
    ...client('left', 200),
    serve: (_req, res) => void res.write('half'),
    client: async (stream) => {
      await once(stream, 'data')
      ;(stream.session!.socket as unknown as { resetAndDestroy?(): void }).resetAndDestroy?.()
      stream.session!.destroy()
    },
  },
  {
    name: 'a failure before the answer',
    ...server('error'),
    serve: (_req, res) => void res.stream.on('error', silent).destroy(new Error('no')),
  },
  {
    name: 'a failure in the middle',
    ...server('error', 200),
    serve: (_req, res) => {
      res.stream.on('error', silent)
      res.write('half', () => res.stream.destroy(new Error('no')))
    },
  },
  {
    name: 'a stream that the server resets as its own failure',
    ...server('error'),
    serve: (_req, res) => void res.stream.on('error', silent).close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  },
  {
    name: 'a timeout while the server answers nothing',
    ...server('timeout'),
    configure: (server) => void server.setTimeout(100, (session?: { destroy(): void }) => session?.destroy()),
    serve: silent,
  },
  {
    name: 'a drain',
    ...server('drain'),
    serve: (_req, res, { cut }) => {
      const { session } = res.stream
      cut(session!, 'drain')
      session!.destroy()
    },
  },
]

function signal(): { given: Promise<void>; give(): void } {
  let give = silent
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

/** How the request comes: `alone`, after others that were answered, or with others in one write. */
export type Arrival = 'alone' | 'keep-alive' | 'pipelined' | 'first of a pipeline'

/**
 * Lets a request end in one way: other requests, to `/ok`, are answered; those to `/wait` are not.
 *
 * @param middleware  what observes each request before it is served
 * @returns a function that closes everything
 */
export async function endHttp1(
  ending: Http1Ending,
  arrival: Arrival,
  middleware: Middleware,
  tools: EndingTools,
): Promise<() => void> {
  const begun = signal()
  let answers = 0
  const app = http.createServer({ connectionsCheckingInterval: 20 }, (req, res) => {
    // What is broken off in the same tick takes the answers before it along.
    const serve = (): void => {
      if (answers < (arrival === 'alone' || arrival === 'first of a pipeline' ? 0 : 2))
        return void setImmediate(serve)
      ending.serve(req, res, tools)
      begun.give()
    }
    res.on('finish', () => answers++)
    middleware(req, res, () => {
      if (req.url === '/ok') res.end('ok')
      if (req.url === '/ending') serve()
    })
  })
  ending.configure?.(app)
  await once(app.listen(0, '127.0.0.1'), 'listening')
  const socket = connect((app.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', silent)
  let text = ''
  let looks: (() => void)[] = []
  socket.on('data', (chunk) => {
    if (text.length < 65_536) text += chunk.toString('latin1')
    for (const look of looks) look()
  })
  const received = (part: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!text.includes(part)) return
        looks = looks.filter((other) => other !== look)
        resolve()
      }
      looks.push(look)
      look()
    })
  const request = ending.request ?? GET
  const ok = `GET /ok HTTP/1.1\r\n${HOST}\r\n`
  if (arrival === 'keep-alive') {
    for (const part of ['ok', 'ok']) {
      text = ''
      socket.write(ok)
      await received(`\r\n\r\n${part}`)
    }
    text = ''
  }
  const before = arrival === 'pipelined' ? ok + ok : ''
  const after = arrival === 'first of a pipeline' ? ok.replace('/ok', '/wait').repeat(2) : ''
  socket.write(before + request + after)
  const { rest } = ending
  if (rest !== undefined) void begun.given.then(() => socket.write(rest))
  void ending.client?.({ socket, begun: begun.given, received })
  return () => {
    socket.destroy()
    app.close()
    app.closeAllConnections()
  }
}

/** Lets a stream of HTTP/2 end in one way. @returns a function that closes everything */
export async function endHttp2(
  ending: Http2Ending,
  middleware: Middleware,
  tools: EndingTools,
): Promise<() => void> {
  const begun = signal()
  const app = http2.createServer((req, res) => {
    middleware(req as never, res as never, () => {
      ending.serve(req, res, tools)
      begun.give()
    })
  })
  app.on('sessionError', silent)
  ending.configure?.(app)
  await once(app.listen(0, '127.0.0.1'), 'listening')
  const session = http2.connect(`http://127.0.0.1:${(app.address() as AddressInfo).port}`)
  session.on('error', silent)
  const stream = session.request({ ':path': '/ending' })
  stream.on('error', silent).resume()
  void ending.client?.(stream, begun.given)
  return () => {
    session.destroy()
    app.close()
  }
}
