import { testRedis } from '@scale/devkit/redis-server'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
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

// Each word that a server has for «not now», said by a real one where it can be made to; and as Redis 6.2 wraps it in a script.

let server: RedisServer
let client: ReturnType<typeof createRedis>
let guard: StoreGuard

beforeAll(async () => {
  server = await testRedis()
  await connect(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

async function connect(url: string): Promise<void> {
  client?.disconnect()
  client = createRedis(url)
  guard = storeGuard(client)
  expect(await whenReady(client, 10_000)).toBe(true)
}

const write = defineScript('test.write', "return redis.call('SET', KEYS[1], ARGV[1])")

/** How each way to write ends, or `ok`. */
async function writes(): Promise<string[]> {
  const all = [
    guard.call('set', ['k', '1'], { patience: 'long' }),
    guard.run(write, ['k'], ['1'], { patience: 'long' }),
  ]
  return Promise.all(all.map((one) => one.then(() => 'ok', summary)))
}

async function reads(): Promise<string[]> {
  const all = [
    guard.call('get', ['k'], { patience: 'long' }),
    guard.call('exists', ['k'], { patience: 'long' }),
  ]
  return Promise.all(all.map((one) => one.then(() => 'ok', summary)))
}

function summary(error: { reason?: string; status?: number; cause?: Error }): string {
  return `${error.status} ${error.reason} ${error.cause === undefined ? '' : wordOf(error.cause)?.code}`
}

describe('a server that refuses writes', () => {
  afterEach(async () => {
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0')
    expect(await writes()).toEqual(['ok', 'ok'])
  })

  it('OOM: writes are a 503, reads and deletes go on, and the breaker stays closed', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    for (let i = 0; i < 20; i++) {
      expect(await writes()).toEqual(['503 refused OOM', '503 refused OOM'])
      expect(await reads()).toEqual(['ok', 'ok'])
      expect(await guard.call('del', ['k'])).toBeTypeOf('number')
    }
    expect(guard.state()).toBe('closed')
  })

  it('NOREPLICAS: likewise', async () => {
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
    for (let i = 0; i < 20; i++) {
      expect(await writes()).toEqual(['503 refused NOREPLICAS', '503 refused NOREPLICAS'])
      expect(await reads()).toEqual(['ok', 'ok'])
    }
    expect(guard.state()).toBe('closed')
  })

  it('BUSY: a script of somebody that does not end is a 503, and no outage', async () => {
    await server.command('CONFIG', 'SET', 'lua-time-limit', '20')
    const other = createRedis(server.url, { guard: { patienceMs: 10_000 } })
    await whenReady(other, 5_000)
    const endless = storeGuard(other).run(defineScript('test.endless', 'while true do end'), ['k'], [], {
      patience: 'long',
    })
    const ended = endless.catch((error: Error) => error.message)
    await expect.poll(() => writes(), { timeout: 5_000 }).toEqual(['503 refused BUSY', '503 refused BUSY'])
    expect(guard.state()).toBe('closed')
    await server.command('SCRIPT', 'KILL')
    expect(await ended).toContain('killed')
    other.disconnect()
  })
})

describe('a user who may not', () => {
  it('NOPERM: is a 503 that says what is not allowed, in a script too', async () => {
    await server.command(
      'ACL',
      'SETUSER',
      'ann',
      'on',
      '>secret',
      '~*',
      '+@connection',
      '+info',
      '+eval',
      '+evalsha',
      '+get',
    )
    const { host } = new URL(server.url)
    await connect(`redis://ann:secret@${host}`)
    expect(await writes()).toEqual(['503 denied NOPERM', '503 denied NOPERM'])
    const error = await guard.call('set', ['k', 'v']).catch((reason: Error) => reason)
    expect((error as Error).message).toMatch(/set/i)
    expect(await guard.call('get', ['k'])).toBe('1')
    expect(guard.state()).toBe('closed')
    await connect(server.url)
  })

  it('NOAUTH: a 503', async () => {
    const locked = await testRedis()
    await connect(locked.url)
    await locked.command('CONFIG', 'SET', 'requirepass', 'p')
    await client.disconnect(true)
    await expect
      .poll(() => guard.call('get', ['k'], { patience: 'long' }).catch(summary), { timeout: 10_000 })
      .toMatch(/^503 (?:denied NOAUTH|not-ready|breaker-open)/)
    await locked.stop()
    await connect(server.url)
  })
})

describe('a server that is the wrong one', () => {
  it('READONLY: a 503, and the client looks for another at once', async () => {
    let connections = 0
    const replica = await testRedis({ args: ['--replicaof', '127.0.0.1', new URL(server.url).port] })
    await connect(replica.url)
    client.on('connect', () => connections++)
    expect(await writes()).toEqual([
      expect.stringMatching(/^503 refused READONLY|^503 (connection|not-ready)/),
      expect.stringMatching(/^503/),
    ])
    await expect.poll(() => connections, { timeout: 5_000 }).toBe(1)
    // Where it is the only one there is, it is asked no more often than once in a second.
    for (let i = 0; i < 20; i++) await writes()
    expect(connections).toBeLessThan(3)
    await replica.command('REPLICAOF', 'NO', 'ONE')
    await expect.poll(() => writes(), { timeout: 5_000 }).toEqual(['ok', 'ok'])
    await replica.stop()
    await connect(server.url)
  })
})

describe('the words', () => {
  const sentences: Record<string, string> = {
    READONLY: "READONLY You can't write against a read only replica.",
    LOADING: 'LOADING Redis is loading the dataset in memory',
    MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    CLUSTERDOWN: 'CLUSTERDOWN Hash slot not served',
    TRYAGAIN: 'TRYAGAIN Multiple keys request during rehashing of slot',
    MOVED: 'MOVED 3999 127.0.0.1:6381',
    ASK: 'ASK 3999 127.0.0.1:6381',
    NOREPLICAS: 'NOREPLICAS Not enough good replicas to write.',
    MISCONF:
      'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
    OOM: "OOM command not allowed when used memory > 'maxmemory'.",
    BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    NOPERM: "NOPERM this user has no permissions to run the 'set' command or its subcommand",
    NOAUTH: 'NOAUTH Authentication required.',
    WRONGPASS: 'WRONGPASS invalid username-password pair or user is disabled.',
  }
  const sha = 'f_4a4f6f5b6f4a4f6f5b6f4a4f6f5b6f4a4f6f5b6f'

  it('each of the table has a sentence here', () => {
    expect([...serverWords.keys()].sort()).toEqual(Object.keys(sentences).sort())
  })

  it.each(Object.entries(sentences))(
    '%s, bare, and from inside a script of 6.2, 7 and Valkey',
    (code, sentence) => {
      for (const message of [
        sentence,
        `ERR Error running script (call to ${sha}): @user_script:3: @user_script: 3: -${sentence}`,
        `ERR Error running script (call to ${sha}): @user_script:3: ${sentence}`,
        `${sentence} script: 4a4f6f5b6f4a4f6f5b6f4a4f6f5b6f4a4f6f5b6f, on @user_script:3.`,
      ]) {
        expect(wordOf(new Error(message))?.code).toBe(code)
      }
    },
  )

  it('a discarded transaction says what its commands were told: refused, or simply wrong', async () => {
    const transaction = (command: string, ...args: string[]) =>
      (client as Redis)
        .multi()
        .set('k', '1')
        .call(command, ...args)
        .exec()
        .catch((error: Error) => error)
    const wrong = (await transaction('nosuch')) as Error
    expect(wrong.message).toMatch(/^EXECABORT/)
    expect(wordOf(wrong)).toBe(undefined)
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const refused = (await transaction('set', 'k', '2')) as Error
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect(refused.message).toMatch(/^EXECABORT/)
    expect(wordOf(refused)?.code).toBe('OOM')
  })

  it('of a user who may not run a command in a script', () => {
    for (const message of [
      `ERR Error running script (call to ${sha}): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand`,
      "ERR The user executing the script can't run this command or subcommand script: 4a4f6f, on @user_script:1.",
      "ERR ACL failure in script: User ann has no permissions to run the 'set' command script: 4a4f6f, on @user_script:1.",
    ]) {
      expect(wordOf(new Error(message))?.code).toBe('NOPERM')
    }
  })

  it('are none where the command was wrong', () => {
    for (const message of [
      'WRONGTYPE Operation against a key holding the wrong kind of value',
      'ERR value is not an integer or out of range',
      `ERR Error running script (call to ${sha}): @user_script:3: user_script:3: attempt to compare nil with number`,
      `ERR Error running script (call to ${sha}): @user_script:3: WRONGTYPE Operation against a key holding the wrong kind of value`,
      'NOSCRIPT No matching script. Please use EVAL.',
      'ERR OOM is a word of a value',
      '',
    ]) {
      expect(wordOf(new Error(message))).toBeUndefined()
    }
  })
})
