import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onFatal } from '../src/index.js'

const packageFolder = join(import.meta.dirname, '..')
let folder: string

/** Bundled once, so that each process starts as fast as a built app. */
beforeAll(async () => {
  const cache = join(packageFolder, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  folder = mkdtempSync(join(cache, 'fatal-'))
  await build({
    config: false,
    silent: true,
    entry: { app: join(import.meta.dirname, 'fixtures/fatal-app.ts') },
    outDir: folder,
    format: 'esm',
    target: 'node20',
    noExternal: [/^@scale\//],
    esbuildOptions: (options) => {
      options.conditions = ['@scale/source']
    },
    outExtension: () => ({ js: '.mjs' }),
  })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(scenario: string): Promise<{ code: number; out: string[]; err: string }> {
  const child = spawn(process.execPath, [join(folder, 'app.mjs'), scenario], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  })
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code, out: out.split('\n').filter(Boolean), err }
}

describe.concurrent('onFatal in a process', () => {
  it('records an uncaught error, drains, and ends with 70', async () => {
    const { code, out, err } = await run('uncaught')
    expect(code).toBe(70)
    expect(out).toEqual(['channel uncaughtException true boom', 'draining', 'drained'])
    expect(err).toMatch(/^Fatal error \(uncaughtException\): Error: boom\n {4}at .+\n/)
    expect(err).toContain('Caused by: Error: below\n    at ')
    expect(err).not.toContain('hunter2')
  })

  it('does the same for an unhandled rejection', async () => {
    const { code, out, err } = await run('rejection')
    expect(code).toBe(70)
    expect(out).toEqual(['channel unhandledRejection true boom', 'draining', 'drained'])
    expect(err).toMatch(/^Fatal error \(unhandledRejection\): Error: boom\n/)
  })

  it('and where it is no error', async () => {
    const { code, out, err } = await run('rejection without an error')
    expect(code).toBe(70)
    expect(out.slice(1)).toEqual(['draining', 'drained'])
    expect(err).toContain('just text')
    expect((await run('null is thrown')).err).toMatch(/not an Error \(null\)[\s\S]+Caused by: null\n$/)
  })

  it('leaves a rejection alone of which Node is told to warn only', async () => {
    const child = spawn(process.execPath, [
      '--unhandled-rejections=warn',
      join(folder, 'app.mjs'),
      'rejection',
    ])
    const errors: string[] = []
    child.stderr.on('data', (chunk: Buffer) => errors.push(String(chunk)))
    await once(child.stderr, 'data')
    expect(errors.join('')).toContain('UnhandledPromiseRejectionWarning')
    expect(child.exitCode).toBeNull()
    child.kill()
    await once(child, 'exit')
    expect(errors.join('')).not.toContain('Fatal error')
  })

  it('ends without a drain at once', async () => {
    expect(await run('no drain')).toMatchObject({ code: 70, out: ['channel uncaughtException true boom'] })
  })

  it('ends when the drain takes too long', async () => {
    const { code, out, err } = await run('drain too long')
    expect(code).toBe(70)
    expect(out.at(-1)).toBe('channel drain false The drain took longer than 50 ms.')
    expect(err).toContain('Fatal error (drain): Error: The drain took longer than 50 ms.')
  })

  it.each(['drain fails', 'drain throws'])('ends when the %s', async (scenario) => {
    const { code, err } = await run(scenario)
    expect(code).toBe(70)
    expect(err).toMatch(/Error: boom[\s\S]+Fatal error \(drain\): Error: drain failed/)
  })

  it('ends at once on a second error', async () => {
    const { code, out, err } = await run('second while draining')
    expect(code).toBe(70)
    expect(out).toEqual(['channel uncaughtException true boom', 'channel uncaughtException false second'])
    expect(err).toMatch(/Error: boom[\s\S]+Error: second/)
  })

  it('records where the app says', async () => {
    const { code, out, err } = await run('own recorder')
    expect(code).toBe(70)
    expect(out.at(-1)).toBe('recorded boom')
    expect(err).toBe('')
  })

  it('loses no error to a recorder that fails', async () => {
    const { code, err } = await run('recorder fails')
    expect(code).toBe(70)
    expect(err).toContain('Error: boom')
  })

  it('leaves it to Node when taken back', async () => {
    const { code, out } = await run('taken back')
    expect(code).toBe(1)
    expect(out).toEqual([])
  })
})

it('is in force once', () => {
  const takeBack = onFatal()
  expect(() => onFatal()).toThrow(expect.objectContaining({ code: 'ERR_SCALE_FATAL_INSTALLED' }))
  takeBack()
  onFatal()()
  expect(process.listenerCount('uncaughtException')).toBe(listeners)
})

const listeners = process.listenerCount('uncaughtException')

it('refuses wrong options', () => {
  expect(() => onFatal({ timeoutMs: -1 })).toThrow(
    'onFatal: `timeoutMs` must be a whole number of milliseconds',
  )
  expect(() => onFatal({ timeout: 1 } as object)).toThrow('Did you mean `timeoutMs`?')
  expect(process.listenerCount('uncaughtException')).toBe(listeners)
})
