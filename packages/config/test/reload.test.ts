import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { InvalidConfig, loadConfig, type Reload, type ReloadMessage, reloadChannel } from '../src/index.js'

const Secrets = z.object({ PASSWORD: z.string().min(4), TOKEN: z.string().optional() })
type Values = z.infer<typeof Secrets>

let folder: string
let messages: ReloadMessage[]
let reloads: Reload<Values>[]
let ends: (() => void)[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scale-config-'))
  messages = []
  reloads = []
  ends = [reloadChannel.subscribe((message) => messages.push(message))]
})
afterEach(() => {
  for (const end of ends) end()
  rmSync(folder, { recursive: true })
})

/** Looks often, so that a test takes no longer than it must. */
function watched(env: Record<string, string>) {
  const config = loadConfig(Secrets, {
    env,
    envFile: false,
    secrets: ['PASSWORD', 'TOKEN'],
    reloadCheckMs: 10,
  })
  ends.push(config.onReload((reload) => reloads.push(reload)))
  return config
}
const until = (count: number): Promise<void> =>
  expect.poll(() => messages.length, { timeout: 20_000 }).toBe(count)
const replace = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content)
  renameSync(`${path}.new`, path)
}

it('hears of a file that is replaced by a rename, again and again', async () => {
  const path = join(folder, 'password')
  replace(path, 'first\n')
  const config = watched({ PASSWORD_FILE: path, TOKEN: 'constant' })
  for (const [index, next] of ['second', 'third'].entries()) {
    replace(path, `${next}\n`)
    await until(index + 1)
    expect(config.values).toEqual({ PASSWORD: next, TOKEN: 'constant' })
    expect(reloads[index]).toMatchObject({ values: { PASSWORD: next }, changed: ['PASSWORD'] })
  }
  expect(reloads[1]!.previous.PASSWORD).toBe('second')
  expect(messages.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
})

it('hears of all files of a volume at once, whose link a kubelet changes', async () => {
  // As in a mounted Secret: files are links into `..data`, which is a link to a folder.
  for (const [version, password, token] of [
    ['..1', 'first', 'one-of-them'],
    ['..2', 'second', 'two-of-them'],
  ] as const) {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'password'), password)
    writeFileSync(join(folder, version, 'token'), token)
  }
  symlinkSync('..1', join(folder, '..data'))
  for (const name of ['password', 'token']) symlinkSync(`..data/${name}`, join(folder, name))
  const config = watched({ PASSWORD_FILE: join(folder, 'password'), TOKEN_FILE: join(folder, 'token') })
  expect(config.values).toEqual({ PASSWORD: 'first', TOKEN: 'one-of-them' })
  symlinkSync('..2', join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  rmSync(join(folder, '..1'), { recursive: true })
  await until(1)
  expect(reloads).toHaveLength(1)
  expect(reloads[0]).toMatchObject({
    values: { PASSWORD: 'second', TOKEN: 'two-of-them' },
    changed: ['PASSWORD', 'TOKEN'],
  })
})

it('hears of what has changed between the start and the first listener', async () => {
  const path = join(folder, 'password')
  writeFileSync(path, 'first')
  const config = loadConfig(Secrets, {
    env: { PASSWORD_FILE: path },
    envFile: false,
    secrets: ['PASSWORD'],
    reloadCheckMs: 10,
  })
  replace(path, 'second')
  ends.push(config.onReload((reload) => reloads.push(reload)))
  await until(1)
  expect(config.values.PASSWORD).toBe('second')
})

it('goes on with the old ones if the new ones cannot be used, says so once, and takes the next', async () => {
  const path = join(folder, 'password')
  writeFileSync(path, 'first')
  const config = watched({ PASSWORD_FILE: path })
  let told = 0
  for (const spoil of [() => replace(path, 'x'), () => replace(path, ''), () => unlinkSync(path)]) {
    spoil()
    await until(++told)
    expect(messages.at(-1)).toMatchObject({
      outcome: 'invalid',
      changed: ['PASSWORD'],
      error: expect.any(InvalidConfig),
    })
    expect(config.values.PASSWORD).toBe('first')
  }
  replace(path, 'second')
  await until(++told)
  expect([config.values.PASSWORD, reloads.length]).toEqual(['second', 1])
})

it('tells of a listener that throws, and tells the others all the same', async () => {
  const path = join(folder, 'password')
  writeFileSync(path, 'first')
  const config = watched({ PASSWORD_FILE: path })
  const failure = new Error('no connection with that')
  ends.push(config.onReload(() => Promise.reject(failure)))
  const later: string[] = []
  ends.push(config.onReload(({ values }) => later.push(values.PASSWORD)))
  replace(path, 'second')
  await until(1)
  expect(messages[0]).toMatchObject({ outcome: 'failed', error: failure })
  expect(later).toEqual(['second'])
})

it('looks no more when nobody listens any more', async () => {
  const path = join(folder, 'password')
  writeFileSync(path, 'first')
  const config = watched({ PASSWORD_FILE: path })
  ends.pop()!()
  const other = watched({ PASSWORD_FILE: path })
  replace(path, 'second')
  // The other one has seen it, and looks as often.
  await until(1)
  expect([config.values.PASSWORD, other.values.PASSWORD]).toEqual(['first', 'second'])
})
