import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cachedFolder } from '../src/cached-folder.js'

let parent: string
let folder: string

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'cached-folder-'))
  folder = join(parent, 'deep/result')
})
afterEach(() => rm(parent, { recursive: true }))

it('is filled once for all who ask at the same time', async () => {
  let fills = 0
  const ask = () =>
    cachedFolder(folder, async (temporary) => {
      fills++
      await sleep(100)
      await writeFile(join(temporary, 'file'), 'content')
    })
  expect(await Promise.all([ask(), ask(), ask(), ask()])).toEqual([folder, folder, folder, folder])
  expect(await ask()).toBe(folder)
  expect(fills).toBe(1)
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('content')
  expect(await readdir(join(parent, 'deep'))).toEqual(['result'])
})

it('leaves nothing of a failure, and the next asker tries again', async () => {
  const failing = cachedFolder(folder, async (temporary) => {
    await writeFile(join(temporary, 'half'), '')
    throw new Error('no network')
  })
  await expect(failing).rejects.toThrow('no network')
  expect(await readdir(join(parent, 'deep'))).toEqual([])
  await cachedFolder(folder, (temporary) => writeFile(join(temporary, 'whole'), ''))
  expect(await readdir(folder)).toEqual(['whole'])
})

it('takes over from a process that was killed while filling', async () => {
  await mkdir(`${folder}.lock`, { recursive: true })
  await mkdir(`${folder}.tmp-killed`)
  const longAgo = new Date(Date.now() - 60_000)
  await utimes(`${folder}.lock`, longAgo, longAgo)
  await cachedFolder(folder, (temporary) => writeFile(join(temporary, 'file'), ''))
  expect(await readdir(join(parent, 'deep'))).toEqual(['result'])
})

it('waits for the holder of a fresh lock', async () => {
  await mkdir(`${folder}.lock`, { recursive: true })
  let filled = false
  const asked = cachedFolder(folder, async () => {
    filled = true
  })
  await sleep(200)
  expect(filled).toBe(false)
  // The holder finishes: the folder appears.
  await mkdir(folder)
  expect(await asked).toBe(folder)
  expect(filled).toBe(false)
})
