import { connect, createServer, type Server, type Socket } from 'node:net'
import { testRedis } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createRedis,
  defineScript,
  type StoreGuard,
  serverWords,
  storeGuard,
  whenReady,
  wordOf,
} from '../src/index.js'
import type { RedisServer } from '../src/testing/index.js'

// What Redis 6.2 answers to a script whose command it cannot serve, byte for byte, in place of what a newer server would
// have answered; everything else is said by that server.

const SHA = 'f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791'
const wrapped = (sentence: string): string =>
  `-ERR Error running script (call to ${SHA}): @user_script:1: @user_script: 1: -${sentence}\r\n`

/** The sentences of the commands, which 6.2 wraps. */
const sentences: [code: string, sentence: string][] = [
  ['READONLY', "READONLY You can't write against a read only replica."],
  ['LOADING', 'LOADING Redis is loading the dataset in memory'],
  ['MASTERDOWN', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."],
  ['CLUSTERDOWN', 'CLUSTERDOWN The cluster is down'],
  ['TRYAGAIN', 'TRYAGAIN Multiple keys request during rehashing of slot'],
  ['NOREPLICAS', 'NOREPLICAS Not enough good replicas to write.'],
  [
    'MISCONF',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
  ],
  ['OOM', "OOM command not allowed when used memory > 'maxmemory'."],
  ['NOPERM', "NOPERM this user has no permissions to run the 'set' command or its subcommand"],
]

let server: RedisServer
let old: Server
let client: ReturnType<typeof createRedis>
let guard: StoreGuard
let answer: string | undefined
let connections = 0
const sockets = new Set<Socket>()

beforeAll(async () => {
  server = await testRedis()
  old = createServer((socket) => {
    connections++
    const upstream = connect(server.port, server.host)
    for (const one of [socket, upstream]) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        socket.destroy()
        upstream.destroy()
      })
    }
    upstream.on('data', (bytes) => socket.write(bytes))
    socket.on('data', (bytes) => {
      if (answer !== undefined && /\r\nevalsha\r\n/i.test(bytes.toString('latin1'))) socket.write(answer)
      else upstream.write(bytes)
    })
  })
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
  client = createRedis(`redis://127.0.0.1:${(old.address() as { port: number }).port}`)
  guard = storeGuard(client)
  expect(await whenReady(client, 10_000)).toBe(true)
})
afterAll(async () => {
  client.disconnect()
  for (const socket of sockets) socket.destroy()
  old.close()
  await server.stop()
})

const write = defineScript('test.old-server', "return redis.call('SET', KEYS[1], ARGV[1])")
const run = (): Promise<unknown> => guard.run(write, ['k'], ['1'], { patience: 'long' })

it.each(sentences)(
  '%s in a script of 6.2 is understood, and what it asks for is done',
  async (code, sentence) => {
    await expect.poll(() => run().then(() => 'ok', String), { timeout: 10_000 }).toBe('ok')
    const before = connections
    answer = wrapped(sentence)
    const error = await run().then(
      () => undefined,
      (thrown: { status?: number; cause?: Error }) => thrown,
    )
    const { reconnect, scope } = serverWords.get(code)!
    if (reconnect) {
      // As long as it says so; no more often than once in a second.
      const asked = (): Promise<number> =>
        run().then(
          () => 0,
          () => connections,
        )
      await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before)
    } else {
      expect(connections).toBe(before)
    }
    answer = undefined
    expect(error).toMatchObject({ status: 503 })
    expect(wordOf(error!.cause!)?.code).toBe(code)
    // What is about one command alone stands in the way of no other.
    if (scope === 'command') expect(await guard.call('get', ['k'])).toBe('1')
    await expect.poll(() => run().then(() => 'ok', String), { timeout: 10_000 }).toBe('ok')
  },
)
