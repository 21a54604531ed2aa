import { createServer, type Server } from 'node:net'
import { InvalidOption } from '@scale/core'
import { testRedis } from '@scale/devkit/redis-server'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  breakerChannel,
  connectionError,
  createRedis,
  defineScript,
  type GuardOptions,
  type OperationMessage,
  operationChannel,
  type RedisClient,
  RedisUnavailable,
  type StoreGuard,
  storeGuard,
  whenReady,
} from '../../src/index.js'
import type { RedisServer } from '../../src/testing/index.js'

let server: RedisServer

beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())

const resendOff = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false }

describe.each([
  ['createRedis', () => createRedis(server.url) as Redis],
  ['ioredis 6', () => new Redis(server.url, resendOff)],
  ['ioredis 5', () => new Redis5(server.url, resendOff)],
])('storeGuard over %s', (_, connect) => {
  let client: Redis | Redis5
  let guard: StoreGuard

  beforeEach(async () => {
    client = connect()
    guard = storeGuard(client)
    await vi.waitFor(() => expect(guard.available()).toBe(true))
  })
  afterEach(() => {
    client.disconnect()
  })

  it('sends commands and gives their replies', async () => {
    expect(await guard.call('set', ['key', 'value'])).toBe('OK')
    expect(await guard.call('get', ['key'])).toBe('value')
    expect(await guard.call('get', ['key'], { asBuffer: true })).toEqual(Buffer.from('value'))
    expect(await guard.call('get', ['missing'])).toBeNull()
  })

  it('runs a script that the server does not know, once', async () => {
    const script = defineScript('test.count', `-- ${Math.random()}\nreturn redis.call('incr', KEYS[1])`)
    expect(await guard.run(script, ['count:1'], [])).toBe(1)
    expect(await guard.run(script, ['count:1'], [])).toBe(2)
    await client.script('FLUSH')
    expect(await guard.run(script, ['count:1'], [])).toBe(3)
    await client.del('count:1')
  })

  it('passes binary arguments and replies unharmed', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128])
    const script = defineScript('test.echo', 'return ARGV[1]')
    expect(await guard.run(script, ['k'], [bytes], { asBuffer: true })).toEqual(bytes)
  })

  it('hands over what the server says is wrong, and holds it for no outage', async () => {
    await guard.call('set', ['text', 'value'])
    for (let i = 0; i < 20; i++) {
      await expect(guard.call('incr', ['text'])).rejects.toThrow(/not an integer/)
    }
    expect(guard.state()).toBe('closed')
  })

  it('fails at once, with nothing sent, when the client is closed', async () => {
    client.disconnect()
    await vi.waitFor(() => expect(guard.available()).toBe(false))
    const error = await guard.call('get', ['key']).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RedisUnavailable)
    expect(error).toMatchObject({ reason: 'not-ready', mayHaveHappened: false, status: 503 })
  })

  it('says what each operation was and how it ended', async () => {
    const messages: OperationMessage[] = []
    const stop = operationChannel.subscribe((message) => messages.push(message))
    await guard.call('get', ['key'])
    await guard.call('incr', ['text']).catch(() => 'wrong type')
    await guard.run(defineScript('test.one', 'return 1'), ['k'], [])
    stop()
    expect(messages.map(({ operation, outcome }) => [operation, outcome])).toContainEqual(['get', 'ok'])
    expect(messages.map(({ operation, outcome }) => [operation, outcome])).toContainEqual(['incr', 'error'])
    expect(messages.at(-1)).toMatchObject({ operation: 'test.one', outcome: 'ok' })
    expect(messages.every(({ durationMs }) => durationMs >= 0 && durationMs < 10_000)).toBe(true)
  })

  it('nothing is owed once all is answered, well or with an error: then silence is as it should be', async () => {
    const quiet = new Redis(server.url, resendOff)
    // Scaled: a second and five by default.
    const short = storeGuard(quiet, { silenceMs: 100, reconnectAfterMs: 100, deadlineMs: 10_000 })
    await vi.waitFor(() => expect(quiet.status).toBe('ready'), { timeout: 10_000 })
    await short.call('set', ['words', 'text'])
    await short.call('incr', ['words']).catch(() => 'wrong type')
    const changes: unknown[] = []
    const stop = breakerChannel.subscribe((message) => changes.push(message))
    quiet.on('close', () => changes.push('closed'))
    await new Promise((resolve) => setTimeout(resolve, 500))
    stop()
    expect(changes).toEqual([])
    quiet.disconnect()
  })

  it('is the same guard whoever asks, and takes its options once', () => {
    expect(storeGuard(client)).toBe(guard)
    expect(() => storeGuard(client, { deadlineMs: 5 })).toThrow(InvalidOption)
  })

  it('writes the commands of one turn of the event loop together', async () => {
    const stream = (
      client as unknown as { stream: { _writev?: unknown; write: unknown; bytesWritten: number } }
    ).stream
    const before = stream.bytesWritten
    const replies = Array.from({ length: 10 }, () => guard.call('get', ['key']))
    // Still corked: not a byte has left.
    expect((stream as unknown as { writableCorked: number }).writableCorked).toBe(1)
    await Promise.all(replies)
    expect((stream as unknown as { writableCorked: number }).writableCorked).toBe(0)
    expect(stream.bytesWritten).toBeGreaterThan(before)
  })

  it('calls back before the write, so that what is sent from there is part of it', async () => {
    const { stream } = client as unknown as { stream: { writableCorked: number } }
    const corked: number[] = []
    const replies: Promise<unknown>[] = [guard.call('get', ['key'])]
    await new Promise<void>((resolve) => {
      guard.beforeWrite(() => {
        replies.push(guard.call('get', ['key']))
        corked.push(stream.writableCorked)
        guard.beforeWrite(() => {
          corked.push(stream.writableCorked)
          resolve()
        })
      })
    })
    expect(corked).toEqual([1, 1])
    expect(stream.writableCorked).toBe(0)
    await Promise.all(replies)
  })
})

describe('a server that cannot serve', () => {
  let fake: Server
  let answer: string

  beforeAll(async () => {
    fake = createServer((socket) => {
      socket.on('data', (data) => {
        const isHandshake = /hello|info|client/i.test(String(data))
        socket.write(isHandshake ? '-ERR unknown command\r\n'.repeat(countCommands(data)) : answer)
      })
      socket.on('error', () => socket.destroy())
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => fake.once('listening', resolve))
  })
  afterAll(() => {
    fake.close()
  })

  it.each(['LOADING Redis is loading', 'OOM command not allowed', 'MISCONF Errors'])(
    'takes %j for a sign of life, and for a refusal that changed nothing',
    async (text) => {
      answer = `-${text}\r\n`
      const { port } = fake.address() as { port: number }
      const client = new Redis({ port, ...resendOff, enableReadyCheck: false, protocol: 2 })
      client.on('error', (error) => expect(error).toBeInstanceOf(Error))
      await vi.waitFor(() => expect(client.status).toBe('ready'))
      const guard = storeGuard(client)
      const attempt = (): Promise<unknown> => guard.call('get', ['key']).catch((error: unknown) => error)
      for (let i = 0; i < 20; i++) {
        expect(await attempt()).toMatchObject({ reason: 'refused', mayHaveHappened: false })
      }
      expect(guard.state()).toBe('closed')
      client.disconnect()
    },
  )
})

/** Each command starts with the RESP array header. */
function countCommands(data: Buffer): number {
  return String(data).match(/^\*\d+\r$/gm)?.length ?? 1
}

describe('construction', () => {
  it.each([[null], [{}], ['redis://x'], [{ call() {}, status: 'ready' }]])(
    'refuses %j as a client',
    (value) => {
      expect(() => storeGuard(value as unknown as RedisClient)).toThrow(InvalidOption)
    },
  )

  it.each([
    [{ deadlineMs: 0 }, /deadlineMs/],
    [{ deadlineMs: 1.5 }, /deadlineMs/],
    [{ silenceMs: 0 }, /silenceMs/],
    [{ maxWaiting: 0 }, /maxWaiting/],
    [{ timeout: 5 }, /unknown option `timeout`/],
  ])('refuses %j', (options, message) => {
    const client = new Redis(server.url, { lazyConnect: true, ...resendOff })
    expect(() => storeGuard(client, options as GuardOptions)).toThrow(message)
  })

  it('warns of a client that repeats commands, and only of that', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error & { code?: string }): void => {
      if (warning.code === 'SCALE_REDIS_RESEND') warnings.push(warning.message)
    }
    process.on('warning', onWarning)
    storeGuard(new Redis(server.url, { lazyConnect: true, ...resendOff }))
    storeGuard(new Redis(server.url, { lazyConnect: true }))
    await vi.waitFor(() => expect(warnings).toHaveLength(1))
    process.off('warning', onWarning)
  })
})

describe('createRedis', () => {
  it('returns at once, says when it is ready, and stays quiet when nobody listens', async () => {
    const client = createRedis(server.url)
    expect(await whenReady(client, 5_000)).toBe(true)
    client.disconnect()
    const away = createRedis('redis://127.0.0.1:1')
    expect(await whenReady(away, 50)).toBe(false)
    await vi.waitFor(() => expect(connectionError(away)?.message).toMatch(/ECONNREFUSED/))
    const error = await storeGuard(away)
      .call('get', ['key'])
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ reason: 'not-ready', message: expect.stringMatching(/ECONNREFUSED/) })
    away.disconnect()
  })

  it('checks its options', () => {
    expect(() => createRedis(server.url, { connectTimeoutMs: -1 })).toThrow(/connectTimeoutMs/)
    expect(() => createRedis(server.url, { connectionName: 'a b' })).toThrow(/connectionName/)
    expect(() => createRedis(server.url, { guard: { deadlineMs: 0 } })).toThrow(/deadlineMs/)
  })

  it('uses the database, name and password it is told', async () => {
    const locked = await testRedis({ args: ['--requirepass', 'open sesame'] })
    const url = new URL(locked.url)
    const client = createRedis(`redis://:open%20sesame@${url.host}/3`, { connectionName: 'profile' }) as Redis
    expect(await whenReady(client, 5_000)).toBe(true)
    expect(await client.client('INFO')).toMatch(/name=profile .*db=3/)
    client.disconnect()
    await locked.stop()
  })
})
