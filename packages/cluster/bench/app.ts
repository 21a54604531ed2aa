import cluster from 'node:cluster'
import { createServer, type RequestListener } from 'node:http'
import express from 'express'
import { runCluster, trackConnections } from '../src/index.js'

// One app, run in different ways. `CONTESTANT` says how, `PORT` and `ADMIN_PORT` where.

const port = Number(process.env.PORT)
const body = JSON.stringify({ text: 'x'.repeat(288) })

/** Without a framework, so that what is measured is how the process is run. */
const bare: RequestListener = async (req, res) => {
  const path = req.url ?? '/'
  if (path.startsWith('/large')) {
    res.end(Buffer.alloc(Number(new URL(path, 'http://app').searchParams.get('bytes'))))
    return
  }
  if (path.startsWith('/echo')) {
    let text = ''
    for await (const chunk of req) text += chunk
    res.end(text)
    return
  }
  res.setHeader('content-type', 'application/json')
  res.end(body)
}

function expressApp(): RequestListener {
  const app = express()
  app.get('/', (_req, res) => {
    res.json({ text: 'x'.repeat(288) })
  })
  return app
}

function listen(listener: RequestListener): ReturnType<typeof createServer> {
  return createServer(listener).listen(port, '127.0.0.1')
}

/** What a careful reader of Node's documentation writes. */
function plainCluster(listener: RequestListener): void {
  if (cluster.isPrimary) {
    for (let worker = 0; worker < 2; worker++) cluster.fork()
    let stopping = false
    cluster.on('exit', () => {
      if (!stopping) cluster.fork()
      else if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0)
    })
    process.on('SIGHUP', async () => {
      for (const worker of Object.values(cluster.workers ?? {})) {
        const replaced = new Promise((resolve) => cluster.once('listening', resolve))
        worker?.process.kill('SIGTERM')
        await replaced
      }
      process.stderr.write('reloaded\n')
    })
    process.on('SIGTERM', () => {
      stopping = true
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
    })
  } else {
    const server = listen(listener)
    process.on('SIGTERM', () => {
      server.close(() => process.exit(0))
      // Clients that keep a connection busy would hold it for ever.
      setTimeout(() => process.exit(0), 2_000).unref()
    })
  }
}

const contestants: Record<string, () => unknown> = {
  'one process': () => listen(expressApp()),
  'scale, 1 worker': () => runCluster({ workers: 1, log: () => {}, start: () => listen(expressApp()) }),
  'scale, 2 workers': () => runCluster({ workers: 2, log: () => {}, start: () => listen(expressApp()) }),
  'round robin': () => runCluster({ workers: 2, log: () => {}, start: () => listen(bare) }),
  reusePort: () => runCluster({ workers: 2, reusePort: true, log: () => {}, start: () => listen(bare) }),
  'node:cluster, 2 workers': () => plainCluster(expressApp()),
  'without accounting': () => listen(bare),
  'with accounting': () => trackConnections(listen(bare)),
  'loss: scale': () =>
    runCluster({
      workers: 2,
      reload: { canaryMs: 200 },
      respawn: { baseMs: 100, maxMs: 100 },
      breaker: { exits: 1_000 },
      admin: { port: Number(process.env.ADMIN_PORT) },
      start: () => listen(bare),
    }),
  'loss: node:cluster': () => plainCluster(bare),
  'loss: pm2': () => {
    const server = listen(bare).once('listening', () => process.send?.('ready'))
    process.on('SIGINT', () => {
      server.close(() => process.exit(0))
    })
  },
}

await contestants[process.env.CONTESTANT ?? '']?.()
