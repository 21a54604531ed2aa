import { connect, type Socket } from 'node:net'

/** What a server answers, in RESP2. An error inside an array stays a value; on its own it rejects. */
export type Reply = string | number | null | ErrorReply | Reply[]

/** An error that the server answered, such as `MOVED 1234 127.0.0.1:7001`. */
export class ErrorReply extends Error {
  override readonly name = 'ErrorReply'
}

/** The smallest Redis client that will do: one connection, commands in order, no retry. */
export interface RespClient {
  /** @throws {ErrorReply} the server refused; any other error: the connection is gone, or `timeoutMs` has passed */
  command(...args: (string | number)[]): Promise<Reply>
  close(): void
}

/**
 * Connects to a server. The connection does not keep the process alive while no command is waiting.
 *
 * @param port       on `host`. Default host 127.0.0.1
 * @param timeoutMs  the longest silence while a command waits, after which the connection is closed. Default 5,000
 */
export function respClient(port: number, host = '127.0.0.1', timeoutMs = 5_000): RespClient {
  const socket = connect({ port, host, noDelay: true })
  const waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = []
  let unread: Buffer = Buffer.alloc(0)
  let gone: Error | undefined

  socket.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk])
    for (;;) {
      const parsed = parseReply(unread, 0)
      if (parsed === undefined) break
      unread = unread.subarray(parsed.end)
      const caller = waiting.shift()
      if (parsed.reply instanceof ErrorReply) caller?.reject(parsed.reply)
      else caller?.resolve(parsed.reply)
    }
    if (waiting.length === 0) rest(socket)
  })
  socket.on('timeout', () => socket.destroy(new Error(`no reply from port ${port} within ${timeoutMs} ms`)))
  socket.on('error', (error) => {
    gone = error
  })
  socket.on('close', () => {
    gone ??= new Error(`the connection to port ${port} was closed`)
    for (const caller of waiting.splice(0)) caller.reject(gone)
  })

  return {
    command: (...args) =>
      new Promise((resolve, reject) => {
        if (gone !== undefined) return reject(gone)
        waiting.push({ resolve, reject })
        socket.ref()
        socket.setTimeout(timeoutMs)
        socket.write(encode(args))
      }),
    close: () => socket.destroy(),
  }
}

/** Sends one command over a connection of its own. */
export async function sendCommand(port: number, ...args: (string | number)[]): Promise<Reply> {
  const client = respClient(port)
  try {
    return await client.command(...args)
  } finally {
    client.close()
  }
}

function rest(socket: Socket): void {
  socket.setTimeout(0)
  socket.unref()
}

function encode(args: (string | number)[]): Buffer {
  const parts = args.map(String).map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`)
  return Buffer.from(`*${args.length}\r\n${parts.join('')}`)
}

/** Reads one reply that starts at `start`; `undefined` while it is incomplete. */
export function parseReply(bytes: Buffer, start: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd === -1) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const next = lineEnd + 2
  switch (String.fromCharCode(bytes[start]!)) {
    case '+':
      return { reply: line, end: next }
    case '-':
      return { reply: new ErrorReply(line), end: next }
    case ':':
      return { reply: Number(line), end: next }
    case '$':
      return parseBulk(bytes, Number(line), next)
    case '*':
      return parseArray(bytes, Number(line), next)
    default:
      throw new Error(`not RESP2: ${JSON.stringify(bytes.toString('latin1', start, start + 16))}`)
  }
}

function parseBulk(bytes: Buffer, length: number, start: number): { reply: Reply; end: number } | undefined {
  if (length === -1) return { reply: null, end: start }
  const end = start + length + 2
  return bytes.length < end ? undefined : { reply: bytes.toString('utf8', start, end - 2), end }
}

function parseArray(bytes: Buffer, length: number, start: number): { reply: Reply; end: number } | undefined {
  if (length === -1) return { reply: null, end: start }
  const items: Reply[] = []
  let end = start
  while (items.length < length) {
    const item = parseReply(bytes, end)
    if (item === undefined) return undefined
    items.push(item.reply)
    end = item.end
  }
  return { reply: items, end }
}
