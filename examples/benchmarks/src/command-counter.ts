import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Stands between a client and Redis and counts the commands that the client sends. */
export interface CommandCounter {
  /** For the client, in place of the server's own. */
  url: string
  /** Commands so far; what scripts call inside does not count. */
  readonly commands: number
  close(): void
}

/** A command is a RESP array of bulk strings; no value in these benches looks like the head of one. */
const COMMAND_HEAD = /\*\d+\r\n\$/g

export async function countCommands(redis: { host: string; port: number }): Promise<CommandCounter> {
  let commands = 0
  const server = createServer((client) => {
    const upstream = connect(redis.port, redis.host)
    client.on('data', (chunk) => {
      commands += chunk.toString('latin1').match(COMMAND_HEAD)?.length ?? 0
    })
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `redis://127.0.0.1:${port}`,
    get commands() {
      return commands
    },
    close: () => server.close(),
  }
}
