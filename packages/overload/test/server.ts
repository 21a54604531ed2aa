import { type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { Express } from 'express'
import { onTestFinished } from 'vitest'

export interface Running {
  readonly port: number
  /** Asks by a connection of its own. */
  ask(path: string, headers?: Record<string, string>, method?: string): Promise<Reply>
  /** A connection that has sent a request and reads nothing. */
  open(path: string): Promise<Socket>
}

export interface Reply {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

/** Listens until the test is over. */
export async function started(app: Express): Promise<Running> {
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening))
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const open = (path: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`, () => resolve(socket))
      })
      socket.on('error', reject)
    })
  return { port, open, ask: (path, headers, method) => ask(port, path, headers, method) }
}

function ask(port: number, path: string, headers = {}, method = 'GET'): Promise<Reply> {
  const reply = new Promise<Reply>((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      let body = ''
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode!, headers: res.headers, body }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end()
  })
  // Whoever is not waited for may be cut off when the test is over.
  reply.catch(() => {})
  return reply
}

/** Waits until the condition holds. Fails after 20 s. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
