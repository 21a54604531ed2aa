import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ErrorReply, type RedisServer, startRedis } from '../../src/testing/index.js'
import { isAlive, processState, until } from './processes.js'

describe('startRedis', () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await testRedis()
  })
  afterAll(() => server.stop())

  it('answers as soon as it is there', async () => {
    expect(await server.command('SET', 'key', 'välue')).toBe('OK')
    expect(await server.command('GET', 'key')).toBe('välue')
    expect(await server.command('LRANGE', 'none', 0, -1)).toEqual([])
    expect(await server.command('EVAL', 'return {1, "two", {3}, false}', 0)).toEqual([1, 'two', [3], null])
  })

  it('rejects with what the server refused', async () => {
    await expect(server.command('LPUSH', 'key')).rejects.toThrow(ErrorReply)
    await expect(server.command('LPUSH', 'key')).rejects.toThrow(/wrong number of arguments/)
  })

  it('listens on 127.0.0.1 only and writes nothing to disk', async () => {
    expect(await server.command('CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1'])
    expect(await server.command('CONFIG', 'GET', 'save')).toEqual(['save', ''])
    expect(await server.command('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no'])
  })

  it('is frozen by pause and goes on after resume', async () => {
    server.pause()
    let answered = false
    const answer = server.command('PING').then((reply) => {
      answered = true
      return reply
    })
    await until(() => processState(server.pid) === 'T')
    expect(answered).toBe(false)
    expect(server).toMatchObject({ running: true, paused: true })
    server.resume()
    expect(server.paused).toBe(false)
    expect(await answer).toBe('PONG')
  })

  it('comes back on its port after kill, empty', async () => {
    const { port, pid } = server
    await server.command('SET', 'before', 1)
    await server.kill()
    expect(server.running).toBe(false)
    expect(isAlive(pid)).toBe(false)
    await expect(server.command('PING')).rejects.toThrow(/ECONNREFUSED/)
    await server.restart()
    expect(server.running).toBe(true)
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await server.command('GET', 'before')).toBeNull()
  })

  it('restarts while it is paused', async () => {
    server.pause()
    await server.restart()
    expect(await server.command('PING')).toBe('PONG')
  })
})

it('keeps its data over a restart when asked to', async () => {
  const server = await testRedis({ appendOnly: true })
  try {
    await server.command('SET', 'key', 'kept')
    await server.restart()
    expect(await server.command('GET', 'key')).toBe('kept')
  } finally {
    await server.stop()
  }
})

it('passes arguments on; a server with a password counts as started', async () => {
  const server = await testRedis({ args: ['--requirepass', 'secret'] })
  try {
    await expect(server.command('GET', 'key')).rejects.toThrow(/^NOAUTH/)
  } finally {
    await server.stop()
  }
})

it('leaves no process and no file after stop', async () => {
  const server = await testRedis()
  const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string]
  expect(existsSync(folder)).toBe(true)
  await server.stop()
  await server.stop()
  expect(isAlive(server.pid)).toBe(false)
  expect(existsSync(folder)).toBe(false)
})

describe('a server that does not start', () => {
  it('is reported with the end of its log', async () => {
    await expect(testRedis({ args: ['--no-such-option', 'x'] })).rejects.toThrow(
      /did not start[\s\S]*no-such-option/,
    )
  })

  it('is reported within the time given, and killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'silent-'))
    const binary = join(folder, 'silent-server')
    writeFileSync(binary, `#!/bin/sh\necho $$ > ${folder}/pid\necho starting up\nexec sleep 60\n`, {
      mode: 0o755,
    })
    await expect(startRedis({ binary, startTimeoutMs: 300 })).rejects.toThrow(
      /did not start[\s\S]*starting up/,
    )
    expect(isAlive(Number(readFileSync(join(folder, 'pid'), 'utf8')))).toBe(false)
    rmSync(folder, { recursive: true })
  })

  it('is reported when there is no such program', async () => {
    await expect(startRedis({ binary: '/no/such/redis-server' })).rejects.toThrow(/ENOENT/)
  })
})

describe('when the process that started it ends', () => {
  const script = fileURLToPath(new URL('./leave-a-server.ts', import.meta.url))

  async function startAndEnd(
    how: 'exit' | 'throw' | 'wait',
  ): Promise<{ pid: number; folder: string; end(): void }> {
    const args = ['--import', 'tsx', '--conditions=@scale/source', script, how]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(`${data}`)),
    )
    return { ...JSON.parse(line), end: () => child.kill('SIGKILL') }
  }

  it.each(['exit', 'throw', 'wait'] as const)('the server ends too: %s', async (how) => {
    const { pid, folder, end } = await startAndEnd(how)
    if (how === 'wait') {
      expect(isAlive(pid)).toBe(true)
      end()
    }
    await until(() => !isAlive(pid) && !existsSync(folder))
  })
})
