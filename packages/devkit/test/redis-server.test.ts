import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

// The module remembers what it found: each test loads its own.
const load = async () => (await import('../src/redis-server.js')).findRedisServer

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-server-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.doUnmock('../src/debian.js')
  vi.resetModules()
  await rm(folder, { recursive: true })
})

async function program(name: string, says: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`)
  await chmod(path, 0o755)
  return path
}

describe('findRedisServer', () => {
  it('finds one on this machine, or tests could not run', async () => {
    const findRedisServer = await load()
    expect((await findRedisServer()).source).toMatch(/^(redis|valkey)-server \d+\.\d+/)
    expect(await findRedisServer()).toBe(await findRedisServer())
  })

  it('prefers what is on the PATH, Valkey as well', async () => {
    const binary = await program('valkey-server', 'Valkey server v=8.1.1 sha=00000000:0')
    const cli = await program('valkey-cli', '')
    vi.stubEnv('PATH', `/no/such/folder:${folder}`)
    const found = await (await load())()
    expect(found).toEqual({ binary, cli, env: {}, source: 'valkey-server 8.1.1 on the PATH' })
  })

  it('says what was tried and what to do where there is none, and tries again when asked again', async () => {
    let tries = 0
    vi.stubEnv('PATH', folder)
    vi.doMock('../src/debian.js', () => ({
      unpackDebianPackages: async () => {
        tries++
        throw new Error('this is neither Debian nor Ubuntu')
      },
    }))
    const findRedisServer = await load()
    const sentence =
      /no `redis-server` or `valkey-server` on the PATH.*neither Debian nor Ubuntu.*Install Redis 6\.2/
    await expect(findRedisServer()).rejects.toThrow(sentence)
    await expect(findRedisServer()).rejects.toThrow(sentence)
    expect(tries).toBe(2)
  })
})
