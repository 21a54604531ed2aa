import { connect, createServer, type Socket } from 'node:net'

/** What INCREX does by its documentation, as far as it is used here, on a server that does not have it. */
const INCREX = `
local spent, by, bound, life = tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[6]
if ARGV[1] ~= 'BYINT' or ARGV[3] ~= 'UBOUND' or ARGV[5] ~= 'PX' or ARGV[7] ~= 'ENX' then
  return redis.error_reply('ERR syntax error')
end
if spent + by > bound then return { spent, 0 } end
spent = redis.call('INCRBY', KEYS[1], by)
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], life) end
return { spent, by }`

/** A server in front of an older one, which seems to have INCREX. Notes which commands pass. */
export interface IncrexProxy {
  readonly port: number
  readonly commands: string[]
  /** From now on it is the older server after all. */
  forget(): void
  close(): Promise<void>
}

/** Rewrites commands on their way; replies pass as they are, one for each. */
export async function startIncrexProxy(target: { host: string; port: number }): Promise<IncrexProxy> {
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let knows = true
  const rewrite = (args: string[]): string[] => {
    const name = args[0]!.toLowerCase()
    commands.push(name)
    if (!knows) return args
    if (name === 'increx') return ['EVAL', INCREX, '1', ...args.slice(1)]
    if (name === 'command') return ['EVAL', "return { { 'increx' } }", '0']
    return args
  }
  const server = createServer((client) => {
    const upstream = connect(target)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    let unread = ''
    client.on('data', (chunk) => {
      unread += chunk.toString('latin1')
      for (let parsed = parseCommand(unread); parsed !== undefined; parsed = parseCommand(unread)) {
        unread = unread.slice(parsed.end)
        upstream.write(encode(rewrite(parsed.args)), 'latin1')
      }
    })
    upstream.pipe(client)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    commands,
    forget: () => {
      knows = false
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function parseCommand(text: string): { args: string[]; end: number } | undefined {
  const header = /^\*(\d+)\r\n/.exec(text)
  if (header === null) return undefined
  let end = header[0].length
  const args: string[] = []
  while (args.length < Number(header[1])) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(end, end + 20))
    if (size === null) return undefined
    const start = end + size[0].length
    end = start + Number(size[1]) + 2
    if (text.length < end) return undefined
    args.push(text.slice(start, end - 2))
  }
  return { args, end }
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`
}
