import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type express from 'express'
import { Registry } from 'prom-client'
import { fleet, httpMetrics } from '../../src/index.js'
import { seriesIn } from './series.js'

/** A route: its template, and what may stand in the place of each parameter is up to the client. */
const templates = [
  '/',
  '/health',
  '/Administration/users/:id',
  '/Administration/users/:id/posts/:post',
  '/:tenant/users/:id',
  '/:tenant/users/:id/posts/:post',
  '/of-:team/users/:id',
  '/of-:team/users/:id/posts/:post',
  '/flights/:from-:to/users/:id',
  '/flights/:from-:to/users/:id/posts/:post',
  '/v1/orgs/:org/teams/:team',
  '/v1/orgs/:org/teams/:team/members-:member.json',
  '/sub/:part/inner/:id',
] as const

/** Words of the paths, numbers, and what has to be encoded: none of them may become a label. */
const values = [
  's',
  'u',
  'users',
  'posts',
  'tenant',
  'v1',
  'inner',
  'id',
  'a%2Fb',
  '%C3%BC',
  '%3Aid',
  '.',
  '0',
  'x.json',
]

/** An app in which routers are mounted in every way that Express has, one of them in four places. */
function mount(framework: typeof express, app: express.Express): void {
  const answer = (_req: express.Request, res: express.Response): void => void res.end()
  const users = framework.Router().get('/users/:id', answer).get('/users/:id/posts/:post', answer)
  app.get('/', answer).get('/health', answer)
  app.use('/v1', framework.Router().use('/orgs/:org', framework.Router().use(teams(framework, answer))))
  app.use('/sub/:part', framework().get('/inner/:id', answer))
  app.use('/Administration', users)
  app.use('/of-:team', users)
  app.use('/flights/:from-:to', users)
  app.use('/:tenant', users)
}

function teams(framework: typeof express, answer: express.RequestHandler): express.Router {
  return framework.Router().get('/teams/:team', answer).get('/teams/:team/members-:member.json', answer)
}

/** What a metric of a flood of requests looks like. */
export interface Flooded {
  /** Labels of the series of the duration. */
  routes: string[]
  expected: string[]
  /** Requests counted. */
  counted: number
}

/** Asks `count` times, each route in a spelling of its own. @param seed  the same requests again */
export async function floodSpellings(
  framework: typeof express,
  count: number,
  seed: number,
): Promise<Flooded> {
  const register = new Registry()
  const app = framework().use(httpMetrics({ register, bodySizes: false }))
  mount(framework, app)
  const server = createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  await flood((server.address() as AddressInfo).port, count, spellings(seed))
  server.close()
  const series = seriesIn(await fleet({ register }).snapshot(), 'http_server_request_duration_seconds')
  return {
    // Express 4 keeps no text of a mount: there small letters stand for both.
    routes: Object.keys(series).map((labels) =>
      (/http_route="([^"]*)"/.exec(labels)?.[1] ?? labels).toLowerCase(),
    ),
    expected: templates.map((template) => template.toLowerCase()),
    counted: Object.values(series).reduce((sum, one) => sum + one, 0),
  }
}

function* spellings(seed: number): Generator<string, never> {
  let state = seed
  const below = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
  for (let index = 0; ; index++) {
    const template = templates[index % templates.length]!
    const path = template.replace(/:\w+|[a-z]/gi, (part) => {
      if (part[0] === ':') return values[below(values.length)]! + (below(3) === 0 ? index : '')
      return below(2) === 0 ? part.toUpperCase() : part.toLowerCase()
    })
    const slash = path !== '/' && below(3) === 0 ? '/' : ''
    const query = below(2) === 0 ? `?q=${index}&__proto__=${index}` : ''
    yield `GET ${path}${slash}${query} HTTP/1.1\r\nHost: h${index}.example\r\n\r\n`
  }
}

/** In batches over one connection. */
function flood(port: number, count: number, requests: Generator<string, never>): Promise<void> {
  const start = 'HTTP/1.1 '
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let [sent, answered, rest] = [0, 0, '']
    const sendBatch = (): void => {
      const size = Math.min(250, count - sent)
      sent += size
      socket.write(Array.from({ length: size }, () => requests.next().value).join(''))
    }
    socket.on('connect', sendBatch)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${answered} answers`)))
    socket.on('data', (chunk) => {
      const text = rest + chunk.toString('latin1')
      answered += text.split(start).length - 1
      // A start line may lie across two chunks.
      rest = text.slice(1 - start.length)
      if (answered < sent) return
      if (answered < count) return sendBatch()
      socket.removeAllListeners('close')
      socket.destroy()
      resolve()
    })
  })
}
