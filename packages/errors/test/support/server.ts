import { type Agent, type IncomingHttpHeaders, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'
import { type FailureMessage, failureChannel } from '../../src/index.js'

/** Both majors of Express; what a test needs is the same in both. */
export const frameworks: [name: string, framework: typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4],
]

/** What a test asks for. */
export interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string | Buffer
  agent?: Agent
}

/** What came back, to the last byte. */
export interface Answered {
  status: number
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  json: any
}

/** Starts an app on a free port until the test ends. */
export async function listen(app: express.Express): Promise<number> {
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Asks once. Rejects if the connection breaks before the answer is complete. */
export function ask(port: number, { path = '/', body, ...options }: Asked = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = /json/.test(response.headers['content-type'] ?? '') && text !== ''
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Sends bytes as they are, and reads until the server closes. */
export function askRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

/** Every failure that is published until the test ends. */
export function failures(): FailureMessage[] {
  const messages: FailureMessage[] = []
  onTestFinished(failureChannel.subscribe((message) => messages.push(message)))
  return messages
}
