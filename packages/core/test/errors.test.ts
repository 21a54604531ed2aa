import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { assertMemoryStoreAllowed, InvalidOption, MemoryStoreRefused, ScaleError } from '../src/index.js'

describe('ScaleError', () => {
  it('carries what an error handler reads', () => {
    const cause = new Error('socket closed')
    const error = new ScaleError('Redis is away.', {
      code: 'ERR_SCALE_TEST',
      status: 503,
      headers: { 'Retry-After': '1' },
      title: 'Away',
      type: 'https://example.org/away',
      extensions: { store: 'session' },
      cause,
    })
    expect(error).toMatchObject({ code: 'ERR_SCALE_TEST', status: 503, title: 'Away', name: 'ScaleError' })
    expect(error.cause).toBe(cause)
    expect(error.headers).toEqual({ 'Retry-After': '1' })
  })

  it('is a 500 without a cause unless told otherwise, and is named after its class', () => {
    const error = new InvalidOption('wrong')
    expect(error).toMatchObject({ status: 500, code: 'ERR_SCALE_INVALID_OPTION', name: 'InvalidOption' })
    expect('cause' in error).toBe(false)
  })
})

describe('assertMemoryStoreAllowed', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('allows one process, refuses production, and takes the app’s word', () => {
    vi.stubEnv('NODE_ENV', 'test')
    expect(() => assertMemoryStoreAllowed('session', false)).not.toThrow()
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => assertMemoryStoreAllowed('session', false)).toThrow(MemoryStoreRefused)
    expect(() => assertMemoryStoreAllowed('session', false)).toThrow(/session: .*allowMemoryStore: true/)
    expect(() => assertMemoryStoreAllowed('session', true)).not.toThrow()
  })

  it('refuses in a real cluster worker', () => {
    const program = fileURLToPath(new URL('fixtures/memory-store-worker.mts', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], {
      encoding: 'utf8',
      env: { ...process.env, NODE_ENV: 'test' },
    })
    expect(status, stderr).toBe(42)
  })
})
