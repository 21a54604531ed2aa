import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const BEAT_MS = 500
const STALE_MS = 5_000
const POLL_MS = 50

/**
 * Fills a folder once, however many processes ask for it at the same time. The folder appears complete or not at all.
 *
 * One process fills, the others wait for it. If it is killed its lock goes stale and another takes over after 5 s.
 *
 * @param folder  where the result will be; if it exists, it is the answer
 * @param fill    writes the contents into the temporary folder it is given; what it throws is thrown
 */
export async function cachedFolder(
  folder: string,
  fill: (temporary: string) => Promise<void>,
): Promise<string> {
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const release = await lockUnless(`${folder}.lock`, () => existsSync(folder))
  try {
    if (!existsSync(folder)) await fillAndRename(folder, fill)
  } finally {
    await release()
  }
  return folder
}

async function fillAndRename(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = await mkdtemp(`${folder}.tmp-`)
  try {
    await fill(temporary)
    await rename(temporary, folder)
  } catch (error) {
    // A lock that was taken over from a process that was only slow: the folder is there, and it is as good as ours.
    if (!existsSync(folder)) throw error
  } finally {
    await removeTemporaries(folder)
  }
}

/** Those of killed processes too. */
async function removeTemporaries(folder: string): Promise<void> {
  const parent = dirname(folder)
  const left = (await readdir(parent)).filter((name) => name.startsWith(`${basename(folder)}.tmp-`))
  for (const name of left) await rm(join(parent, name), { recursive: true, force: true })
}

/** Holds the lock until released; gives up waiting for it, with nothing to release, once `done` is true. */
async function lockUnless(lock: string, done: () => boolean): Promise<() => Promise<void>> {
  while (!done()) {
    if (await taken(lock)) {
      const beat = setInterval(() => utimes(lock, new Date(), new Date()).catch(() => {}), BEAT_MS)
      return async () => {
        clearInterval(beat)
        await rm(lock, { recursive: true, force: true })
      }
    }
    if (await isStale(lock)) await rm(lock, { recursive: true, force: true })
    else await sleep(POLL_MS)
  }
  return async () => {}
}

/** `mkdir` is atomic: of all that try, one makes the folder. */
async function taken(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isStale(lock: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(lock)).mtimeMs > STALE_MS
  } catch {
    return false
  }
}
