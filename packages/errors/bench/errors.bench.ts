import { once } from 'node:events'
import http, { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import createError from 'http-errors'
import { errorHandler, notFound } from '../src/index.js'

// CPU of one process per 404, this client included, which costs the same in every row. So the differences between rows
// are what to read: they are given as shares of a bare Express answer of 300 bytes of JSON, and as a ratio of the whole.
// Nobody listens on the channel, and nobody reads the stack of the error.

const ROUNDS = 15
const REQUESTS = 2_000
const WARM_UP = 3
const body = JSON.stringify({ text: 'x'.repeat(285) })

type Setup = (app: express.Express) => void

const bare: Setup = (app) => {
  app.use((_req, res) => {
    res.type('json').send(body)
  })
}

const rows: [name: string, setup: Setup][] = [
  ['bare Express, 200 and 300 bytes of JSON', bare],
  ['Express alone: finalhandler, HTML', () => {}],
  [
    'http-errors and finalhandler, HTML, the stack logged to nowhere',
    (app) => {
      app.use((_req, _res, next) => next(createError(404)))
    },
  ],
  [
    'http-errors and a handler of two lines, JSON',
    (app) => {
      app.use((_req, _res, next) => next(createError(404)))
      app.use(((error, _req, res, _next) => {
        res.status(error.status).json({ message: error.message })
      }) satisfies express.ErrorRequestHandler)
    },
  ],
  [
    '@scale/errors, problem+json',
    (app) => {
      app.use(notFound(), errorHandler())
    },
  ],
]

// finalhandler makes a stack to log it; where to is not what is measured.
console.error = () => {}

function appOf(setup: Setup): RequestListener {
  const app = express()
  app.disable('x-powered-by').set('env', 'production')
  setup(app)
  return app
}

/** CPU in µs per request, over one keep-alive connection. */
async function measure(port: number): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const before = process.cpuUsage()
  for (let count = 0; count < REQUESTS; count++) {
    const outgoing = http.get({ port, host: '127.0.0.1', path: '/no/such/thing', agent })
    const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
  }
  const { user, system } = process.cpuUsage(before)
  agent.destroy()
  return (user + system) / REQUESTS
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

const servers = rows.map(([name, setup]) => ({
  name,
  server: createServer(appOf(setup)),
  samples: [] as number[],
}))
for (const { server } of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
const client = createServer((_req, res) => res.end(body)).listen(0, '127.0.0.1')
await once(client, 'listening')
const floor: number[] = []

for (let round = -WARM_UP; round < ROUNDS; round++) {
  const idle = await measure((client.address() as AddressInfo).port)
  if (round >= 0) floor.push(idle)
  for (const { server, samples } of servers) {
    const cost = await measure((server.address() as AddressInfo).port)
    if (round >= 0) samples.push(cost)
  }
}

const base = median(floor)
const reference = median(servers[0]!.samples) - base
console.log(
  `CPU per answer above bare node:http, as a share of what bare Express costs there (median of ${ROUNDS} rounds)`,
)
for (const { name, samples } of servers) {
  console.log(`  ${((median(samples) - base) / reference).toFixed(2).padStart(6)}  ${name}`)
}
console.log('CPU per answer, client and node:http included, against Express alone')
const own = median(servers[1]!.samples)
for (const { name, samples } of servers) {
  console.log(`  ${(median(samples) / own).toFixed(2).padStart(6)}  ${name}`)
}
for (const { server } of servers) server.close()
client.close()
