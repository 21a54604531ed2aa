import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { createInterface } from 'node:readline'
import { ControlFailed } from '../errors.js'

/** What can be asked of a running cluster from outside, by name. */
export type ControlCommands = Readonly<Record<string, (argument: unknown) => unknown>>

interface Reply {
  ok: boolean
  result?: unknown
  error?: string
}

/**
 * Takes commands on a Unix socket (on Windows, a named pipe) that only its owner may open: one JSON line asks, one
 * answers.
 *
 * @throws {ControlFailed} another process answers there, or the path cannot be used
 */
export async function startControl(path: string, commands: ControlCommands): Promise<Server> {
  if (await isAnswered(path)) throw new ControlFailed(`another process listens on ${path}`)
  // What a killed process left behind.
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    createInterface(socket).once('line', async (line) => {
      socket.end(`${JSON.stringify(await run(commands, line))}\n`)
    })
  })
  const umask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(new ControlFailed(`cannot listen on ${path}`, cause)))
      server.listen(path, resolve)
    })
  } finally {
    process.umask(umask)
  }
  if (process.platform !== 'win32') chmodSync(path, 0o600)
  server.unref()
  process.once('exit', () => rmSync(path, { force: true }))
  return server
}

/**
 * Asks a running cluster to do something, and waits until it is done.
 *
 * @throws {ControlFailed} nobody listens there, or it could not be done
 */
export function callControl(path: string, command: string, argument?: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', (cause) => reject(new ControlFailed(`nobody listens on ${path}`, cause)))
    socket.once('connect', () => {
      const lines = createInterface(socket)
      lines.once('close', () => reject(new ControlFailed('the cluster ended before it answered')))
      lines.once('line', (line) => {
        const reply = JSON.parse(line) as Reply
        if (reply.ok) resolve(reply.result)
        else reject(new ControlFailed(reply.error ?? 'it failed'))
      })
      socket.write(`${JSON.stringify({ command, argument })}\n`)
    })
  })
}

async function run(commands: ControlCommands, line: string): Promise<Reply> {
  try {
    const { command, argument } = JSON.parse(line) as { command: string; argument?: unknown }
    const handler = Object.hasOwn(commands, command) ? commands[command] : undefined
    if (handler === undefined) return { ok: false, error: 'unknown command' }
    return { ok: true, result: await handler(argument) }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : 'it failed' }
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
