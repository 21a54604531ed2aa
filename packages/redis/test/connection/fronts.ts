import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Certificate } from './certificates.js'

interface Target {
  readonly host: string
  readonly port: number
}

/** An address of the test. */
export interface Front {
  readonly port: number
  close(): void
}

/** Takes TLS off in front of a server. */
export function startTls(target: Target, certificate: Certificate): Promise<Front> {
  const server = createTlsServer(
    { cert: certificate.cert, key: readFileSync(certificate.keyFile) },
    (client) => join(client, target),
  )
  server.on('tlsClientError', () => {})
  return listening(server)
}

function join(client: Socket, target: Target): void {
  const server = connect(target)
  client.pipe(server).pipe(client)
  client.on('error', () => server.destroy())
  client.on('close', () => server.destroy())
  server.on('error', () => client.destroy())
  server.on('close', () => client.destroy())
}

async function listening(server: Server): Promise<Front> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() }
}
