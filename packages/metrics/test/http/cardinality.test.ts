import { METHODS } from 'node:http'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import express from 'express'
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { httpMetrics, metricsHandler } from '../../src/index.js'
import { frameworks } from '../support/frameworks.js'
import { ask, listen, samplesIn } from '../support/server.js'
import { floodSpellings } from '../support/spellings.js'

const START = 'HTTP/1.1 '
const DURATION = 'http_server_request_duration_seconds'
const paths = ['/users/', '/orgs/', '/wp-content/', '/tenant']
// CONNECT is no request to Express.
const methods = METHODS.filter((method) => method !== 'CONNECT')

/** One of very many requests, each with a URL and a host of its own. */
function requestNumber(index: number): string {
  const path = paths[index % 4]!
  const tail = path === '/orgs/' ? '/teams/t' : path === '/tenant' ? '/x' : ''
  const method = index % 4 === 1 ? methods[index % methods.length]! : 'GET'
  const host = `h${index}.example`
  return [
    `${method} ${path}${index}${tail}?q=${index} HTTP/1.1`,
    `Host: ${host}`,
    `X-Forwarded-Host: ${host}`,
    `X-Forwarded-Proto: p${index}`,
    '\r\n',
  ].join('\r\n')
}

/** Sends requests in batches over one connection. */
function flood(port: number, from: number, to: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let sent = from
    let answered = from
    let rest = ''
    const sendBatch = (): void => {
      const end = Math.min(to, sent + 250)
      let batch = ''
      while (sent < end) batch += requestNumber(sent++)
      socket.write(batch)
    }
    socket.on('connect', sendBatch)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${answered - from} answers`)))
    socket.on('data', (chunk) => {
      const text = rest + chunk.toString('latin1')
      answered += text.split(START).length - 1
      // A start line may lie across two chunks.
      rest = text.slice(1 - START.length)
      if (answered >= to) {
        socket.removeAllListeners('close')
        socket.destroy()
        resolve()
      } else if (answered >= sent) sendBatch()
    })
  })
}

it('100,000 distinct URLs, methods and hosts: the number of series is bounded, and memory flat', async () => {
  const register = new Registry()
  const app = express().set('trust proxy', true).use(httpMetrics({ register }))
  app.all('/users/:id', (_req, res) => void res.end())
  app.use(
    '/orgs/:org',
    express.Router().all('/teams/:team', (_req, res) => void res.end()),
  )
  // The worst that an app can do: a mount without a name for what varies.
  app.use(
    /^\/tenant\d+/,
    express.Router().all('/x', (_req, res) => void res.end()),
  )
  app.use((_req, res) => void res.status(404).end())
  const port = await listen(app)
  const admin = await listen((req, res) => void metricsHandler({ register })(req, res))
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const heap = (): number => {
    gc()
    return process.memoryUsage().heapUsed
  }
  const scrape = async (): Promise<Map<string, number>> => samplesIn((await ask(admin)).text)

  await flood(port, 0, 50_000)
  await scrape()
  const half = heap()
  const seriesAtHalf = (await scrape()).size
  await flood(port, 50_000, 100_000)
  await scrape()
  const grown = heap() - half

  const samples = await scrape()
  const counts = [...samples].filter(([name]) => name.startsWith(`${DURATION}_count`))
  expect(samples.size).toBe(seriesAtHalf)
  expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(100_000)
  expect(samples.get(`${DURATION}_count{otel_metric_overflow="true"}`)).toBeUndefined()
  expect(grown).toBeLessThan(1_000_000)
  // A handful, however much varies, whatever the app calls it: methods, statuses and three routes.
  expect(counts.length).toBeLessThan(40)
}, 120_000)

// A hundred thousand of them: `pnpm --filter @scale/metrics soak`.
it.each(frameworks)(
  'in %s a route has one series, however a client spells it, wherever its router is mounted, and a value that is a word of a path is no trap',
  async (_, framework) => {
    const count = 4_000
    const { routes, expected, counted } = await floodSpellings(framework, count, 7)
    expect(routes.sort()).toEqual(expected.sort())
    expect(counted).toBe(count)
  },
)
