import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/** How soon a file that has changed is read again, in ms: two readings alike mean that its writer is done. */
const SETTLE_MS = 100

/**
 * Reads files again and again, and says when what they hold is something else. It reads instead of listening: a rename onto
 * the path, a change of the link `..data` of Kubernetes, and a file on a network all look alike to it.
 *
 * @param onChange  called when two readings in a row have found the same new contents; at first with those that there are, since
 *                  they may have changed before anybody looked
 * @returns a function that ends it; it never keeps the process running
 */
export function watchFiles(paths: readonly string[], everyMs: number, onChange: () => void): () => void {
  let known: string | undefined
  let seen: string | undefined
  let isStopped = false
  let timer: NodeJS.Timeout

  async function look(): Promise<void> {
    const now = await contents(paths)
    if (isStopped) return
    const isSettled = now === seen
    seen = now
    if (now !== known && isSettled) {
      known = now
      onChange()
    }
    again(now === known ? everyMs : Math.min(everyMs, SETTLE_MS))
  }
  function again(delayMs: number): void {
    if (!isStopped) timer = setTimeout(look, delayMs).unref()
  }

  again(0)
  return () => {
    isStopped = true
    clearTimeout(timer)
  }
}

/** What all of them hold, as one text to compare: digests, so that no secret is kept twice. */
async function contents(paths: readonly string[]): Promise<string> {
  const each = paths.map((path) =>
    readFile(path).then(
      (bytes) => createHash('sha256').update(bytes).digest('base64'),
      (error: NodeJS.ErrnoException) => String(error.code),
    ),
  )
  return (await Promise.all(each)).join()
}
