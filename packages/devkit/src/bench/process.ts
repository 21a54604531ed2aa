import { createServer, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CallVariant, ServerVariant } from './variant.js'

// The process of one variant: `process.ts MODULE NAME`. It does what its parent asks by message, one thing at a time.

/** What the parent asks. */
export type Order =
  | { readonly kind: 'cpu' }
  | { readonly kind: 'call'; readonly calls: number; readonly atOnce: number }
  | { readonly kind: 'ask'; readonly question: unknown }

/** What it is answered; the first message, unasked, says that the variant is ready. */
export interface Report {
  readonly port?: number
  /** CPU time of the process so far, user and system, in µs. */
  readonly cpuMicros?: number
  readonly answer?: unknown
  readonly error?: string
}

const [moduleUrl = '', name = ''] = process.argv.slice(2)
const redisUrl = process.env.BENCH_REDIS_URL ?? ''
const { variants } = (await import(moduleUrl)) as { variants: Record<string, ServerVariant | CallVariant> }
const variant = variants[name]!
let call: ((number: number) => unknown) | undefined
let called = 0

process.on('disconnect', () => process.exit())
process.on('message', (order: Order) => {
  obey(order).then(report, (error: unknown) => report({ error: String((error as Error).stack ?? error) }))
})

if ('serve' in variant) {
  report({ port: await listen(variant) })
} else {
  call = await variant.prepare(redisUrl)
  report({})
}

async function listen({ serve }: ServerVariant): Promise<number> {
  const made = await serve(redisUrl)
  const server = made instanceof Server ? made : createServer(made)
  // A connection waits for its next turn as long as the others take.
  server.keepAliveTimeout = 0
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function obey(order: Order): Promise<Report> {
  switch (order.kind) {
    case 'cpu':
      return { cpuMicros: cpuMicros() }
    case 'call':
      return { cpuMicros: await costOf(order.calls, order.atOnce) }
    case 'ask':
      return { answer: await (variant as ServerVariant).asked!(order.question) }
  }
}

/** CPU time of so many calls. Each turn of the loop begins as many as there is room for. */
async function costOf(calls: number, atOnce: number): Promise<number> {
  const before = cpuMicros()
  let left = calls
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) {
        await call!(called++)
        await new Promise(setImmediate)
      }
    }),
  )
  return cpuMicros() - before
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function report(message: Report): void {
  process.send!(message)
}
