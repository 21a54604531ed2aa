import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { GREETING } from './embedded-database.js'
import { inTurns } from './turns.js'

// The process that owns the files of the embedded PostgreSQL. Started by `embeddedDatabase`, never by hand.

/** How long it outlives the last copy of the service that used it, in ms: a restart finds it still there. */
const LINGER_MS = 2_000

const [folder, controlPort] = process.argv.slice(2)
const users = new Set<Socket>()
let lastUserLeft: NodeJS.Timeout = setTimeout(stop, 60_000)
let isStopping = false
let database: { engine: PGlite; server: PGLiteSocketServer } | undefined

const ready = new Promise<number>((resolve, reject) => {
  const control = createServer((socket) => {
    // Too late: whoever asks now waits until the files are closed and the port is free, and starts a new one.
    if (isStopping) {
      socket.destroy()
      return
    }
    users.add(socket)
    clearTimeout(lastUserLeft)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      users.delete(socket)
      if (users.size === 0) lastUserLeft = setTimeout(stop, LINGER_MS)
    })
    ready.then(
      (port) => socket.write(`${GREETING} ${port}\n`),
      () => socket.destroy(),
    )
  })
  // Somebody else has the port: another copy started it at the same moment, and that one serves.
  control.on('error', () => process.exit(0))
  control.listen(Number(controlPort), '127.0.0.1', () => {
    startDatabase().then(resolve, (error: unknown) => {
      reject(error)
      process.exit(1)
    })
  })
})
// Whoever waits for it is told by the closed connection.
ready.catch(() => process.exit(1))

async function startDatabase(): Promise<number> {
  const engine = await PGlite.create(folder!)
  const inner = await freePort()
  const server = new PGLiteSocketServer({ db: engine, host: '127.0.0.1', port: inner, maxConnections: 200 })
  await server.start()
  database = { engine, server }
  const outer = inTurns(inner).listen(0, '127.0.0.1')
  await once(outer, 'listening')
  return (outer.address() as { port: number }).port
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

async function stop(): Promise<void> {
  isStopping = true
  await database?.server.stop()
  await database?.engine.close()
  process.exit(0)
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
