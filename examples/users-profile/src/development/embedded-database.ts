import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The first line that the database process says to whoever connects to its control port. */
export const GREETING = 'users-profile embedded PostgreSQL'

/** How long to wait for it. */
export interface EmbeddedDatabaseOptions {
  /** Longest wait for the start, in ms; the first one in a new folder takes some seconds. Default 60,000 */
  timeoutMs?: number
  /** How long a start may keep whoever asks waiting before it is asked anew, in ms. Default 30,000 */
  greetingTimeoutMs?: number
}

/** A running embedded PostgreSQL, shared by every copy of the service that uses the same folder. */
export interface EmbeddedDatabase {
  url: string
  /** Lets go of it. It ends shortly after the last copy has let go. */
  release(): void
}

/**
 * Finds the embedded PostgreSQL of a folder, or starts it.
 *
 * One process owns the files; copies of the service share it over TCP on 127.0.0.1. Its control port follows from the
 * folder's name: binding a port is atomic and ends with the process, so no lock file can be left behind.
 *
 * @param folder  where the files are kept; made if missing
 * @throws {Error} it did not come up in time
 */
export async function embeddedDatabase(
  folder: string,
  { timeoutMs = 60_000, greetingTimeoutMs = 30_000 }: EmbeddedDatabaseOptions = {},
): Promise<EmbeddedDatabase> {
  mkdirSync(folder, { recursive: true })
  const controlPort = controlPortOf(folder)
  const endsAt = performance.now() + timeoutMs
  let started: ChildProcess | undefined
  while (performance.now() < endsAt) {
    const found = await tryConnect(controlPort, greetingTimeoutMs)
    if (found !== undefined) return found
    // One that ends found the port taken: by one that serves, or by one that is just closing its files.
    if (started === undefined || started.exitCode !== null) started = startProcess(folder, controlPort)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(
    `The embedded PostgreSQL did not start within ${timeoutMs} ms. Set DATABASE_URL to use another.`,
  )
}

/** A port of the dynamic range that follows from the folder. */
function controlPortOf(folder: string): number {
  return 20_000 + (createHash('sha256').update(folder).digest().readUInt32BE() % 10_000)
}

function startProcess(folder: string, controlPort: number): ChildProcess {
  // The program beside this one: as it was written, or as it was built.
  const extension = extname(import.meta.filename)
  const program = fileURLToPath(new URL(`database-process${extension}`, import.meta.url))
  const loader = extension === '.ts' ? ['--import', 'tsx'] : []
  // Detached: Ctrl-C in a terminal reaches the whole group, and another copy may still need it.
  const child = spawn(process.execPath, [...loader, program, folder, String(controlPort)], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    detached: true,
    stdio: 'ignore',
  })
  child.unref()
  return child
}

/** The connection itself says that this copy needs the database; it is held until `release`. */
async function tryConnect(
  controlPort: number,
  greetingTimeoutMs: number,
): Promise<EmbeddedDatabase | undefined> {
  const socket = connect(controlPort, '127.0.0.1')
  socket.on('error', () => socket.destroy())
  const line = await firstLine(socket, greetingTimeoutMs)
  const match = new RegExp(`^${GREETING} (\\d+)$`).exec(line ?? '')
  if (match === null) {
    socket.destroy()
    return undefined
  }
  socket.unref()
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${match[1]}/postgres`,
    release: () => socket.destroy(),
  }
}

function firstLine(socket: Socket, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.on('data', (data) => {
      text += data.toString('utf8')
      if (!text.includes('\n') && text.length <= 200) return
      // From here on the connection is held, and silent.
      socket.setTimeout(0)
      resolve(text.split('\n')[0])
    })
    socket.on('close', () => resolve(undefined))
  })
}
