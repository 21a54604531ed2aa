import { type Agent, createServer, type RequestListener, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { fleet, type Register } from '../../src/index.js'
import { seriesIn } from './series.js'

/** Starts a server on a free port until the test ends. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** What a test asks for. */
export interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
  agent?: Agent
  signal?: AbortSignal
}

/** What came back. */
export interface Answered {
  status: number
  headers: Record<string, string | string[] | undefined>
  bytes: Buffer
  text: string
}

/** Asks once. */
export function ask(port: number, { path = '/', body, ...options }: Asked = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({ status: response.statusCode!, headers: response.headers, bytes, text: bytes.toString() })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Sends bytes as they are over a connection that stays open. */
export function send(port: number, bytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(bytes)
      resolve(socket)
    })
    socket.on('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}

/** The number of observations, or the value, of each series of a metric, by its labels as text. */
export async function seriesOf(register: Register, name: string): Promise<Record<string, number>> {
  return seriesIn(await fleet({ register }).snapshot(), name)
}

/** Every sample of a Prometheus text, by name and labels. */
export function samplesIn(text: string): Map<string, number> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1).replace('Inf', 'Infinity'))]
      }),
  )
}
