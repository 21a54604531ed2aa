import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** An address behind which servers change, as a name in DNS does: who is connected stays with the server it has. */
export interface Relay {
  readonly url: string
  /** Connections from now on lead there. */
  lead(port: number): void
  /** Connections in the order in which they came. */
  readonly connections: readonly { destroy(): void; mute(): void; readonly open: boolean }[]
  close(): void
}

export async function startRelay(port: number): Promise<Relay> {
  let target = port
  const connections: { destroy(): void; mute(): void; readonly open: boolean }[] = []
  const sockets: Socket[] = []
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    sockets.push(client, upstream)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
    let muted = false
    client.on('data', (chunk) => muted || upstream.write(chunk))
    upstream.on('data', (chunk) => muted || client.write(chunk))
    connections.push({
      destroy: () => client.destroy(),
      mute: () => {
        muted = true
      },
      get open() {
        return !client.destroyed
      },
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    lead: (port) => {
      target = port
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
