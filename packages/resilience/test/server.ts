import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'

/** A service that is called, behind a proxy with faults; it remembers what it was asked. */
export interface Service {
  readonly url: string
  readonly proxy: FaultProxy
  /** Of each request that arrived: method, path, and headers. */
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers'] }[]
  /** Connections that are open now. */
  readonly connections: number
  answer: (req: IncomingMessage, res: ServerResponse) => void
  close(): Promise<void>
}

export async function startService(answer: Service['answer']): Promise<Service> {
  const sockets = new Set<Socket>()
  const server = createServer((req, res) => {
    service.seen.push({ method: req.method!, url: req.url!, headers: req.headers })
    service.answer(req, res)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port } })
  const service = {
    url: `http://127.0.0.1:${proxy.port}`,
    proxy,
    seen: [] as Service['seen'],
    get connections() {
      return sockets.size
    },
    answer,
    close: async () => {
      await proxy.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return service
}

export const fine: Service['answer'] = (_req, res) => {
  res.end('fine')
}
