import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import express from 'express'
import { createCache, type HttpCacheOptions } from '../src/index.js'
import { type Outcome, pageOf, type Row, rowOf, type Suite } from './report.js'
import { tryVectors } from './structured-fields.js'

/** As a cache in front of an origin that says what it wants: no lifetime of the route's own. */
const OPTIONS: HttpCacheOptions = {
  policy: 'origin',
  unkeyed: 'trust',
  cookies: 'ignore',
  clientDirectives: 'honour',
  setCookie: 'store',
  heuristicRatio: 0.1,
  staleIfErrorMs: 60_000,
}

const [path] = process.argv.slice(2)
if (path === undefined) {
  throw new Error(
    'Say where a checkout of http-tests/cache-tests, or of httpwg/structured-field-tests, lies.',
  )
}
const checkout = resolve(path)
if (existsSync(join(checkout, 'dictionary.json'))) process.exit((await tryVectors(checkout)) ? 0 : 1)
const load = (file: string) => import(pathToFileURL(join(checkout, file)).href)
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const suites = (await load('tests/index.mjs')).default as readonly Suite[]

async function listen(handler: Parameters<typeof createServer>[1]): Promise<Server> {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port

/** The suite's own server, as a handler. */
async function origin(): Promise<express.Express> {
  const parts = ['config', 'test', 'state'] as const
  const app = express()
  app.set('x-powered-by', false)
  for (const part of parts) {
    const { default: handle } = await load(`test-engine/server/handle-${part}.mjs`)
    app.use(`/${part}`, (req, res) => handle(req.originalUrl.split('?')[0]!.split('/').slice(2), req, res))
  }
  return app
}

/** What comes is passed on as it comes. */
function proxyTo(port: number): express.RequestHandler {
  return (req, res) => {
    const { connection: _, ...headers } = req.headers
    const upstream = request({ port, host: '127.0.0.1', method: req.method, path: req.originalUrl, headers })
    upstream.on('information', ({ statusCode, headers }) => {
      if (statusCode === 103) res.writeEarlyHints(headers as Record<string, string>)
      else if (statusCode === 102) res.writeProcessing()
    })
    let answered = false
    upstream.on('response', (answer) => {
      answered = true
      res.statusCode = answer.statusCode!
      res.statusMessage = answer.statusMessage ?? ''
      const hops = `connection,keep-alive,transfer-encoding,${answer.headers.connection ?? ''}`
        .toLowerCase()
        .split(/\s*,\s*/)
      for (let i = 0; i < answer.rawHeaders.length; i += 2) {
        const name = answer.rawHeaders[i]!
        if (!hops.includes(name.toLowerCase())) res.appendHeader(name, answer.rawHeaders[i + 1]!)
      }
      answer.pipe(res)
      answer.on('close', () => {
        if (!answer.complete) res.destroy()
      })
    })
    upstream.on('error', () => {
      if (!answered) res.status(502).end()
    })
    req.pipe(upstream)
  }
}

/** Runs the suite's own client in a process of its own: it keeps what it has found in the module. */
async function run(base: string): Promise<Record<string, Outcome>> {
  const client = fork(here('./client.ts'), [checkout, base, ...process.argv.slice(3)], {
    cwd: checkout,
    execArgv: ['--import', import.meta.resolve('tsx'), '--no-warnings'],
  })
  const [results] = await once(client, 'message')
  await once(client, 'exit')
  return results as Record<string, Outcome>
}

async function behind(handler: express.RequestHandler | express.Express): Promise<Record<string, Outcome>> {
  const cache = createCache({ jitterRatio: 0, earlyRefresh: 0, maxBytes: 256 * 1_048_576 })
  const app = express()
  app.set('x-powered-by', false)
  app.use(cache.http(OPTIONS), handler)
  const server = await listen(app)
  const results = await run(`http://127.0.0.1:${portOf(server)}`)
  server.closeAllConnections()
  server.close()
  await cache.close()
  return results
}

const own = await origin()
const upstream = await listen(own)
const found = { proxy: await behind(proxyTo(portOf(upstream))), handler: await behind(await origin()) }
upstream.closeAllConnections()
upstream.close()

if (process.argv[3] !== undefined) {
  console.log(JSON.stringify(found, null, 2))
} else {
  const { default: published } = await load('results/index.mjs')
  const rows: Row[] = []
  for (const { file, name, version, type } of published as Record<string, string>[]) {
    if (type === 'browser') continue
    const results = JSON.parse(await readFile(join(checkout, 'results', file!), 'utf8'))
    rows.push(rowOf(suites, `${name} ${version}`, results))
  }
  for (const [adapter, results] of Object.entries(found)) {
    rows.push(rowOf(suites, `@scale/cache, in front of a ${adapter}`, results))
    await writeFile(here(`./results/${adapter}.json`), `${JSON.stringify(results, null, 2)}\n`)
  }
  const page = pageOf(rows, suites, found)
  await writeFile(here('./README.md'), page)
  console.log(page)
}
