import { Writable } from 'node:stream'
import { type AppLogger, createLogger } from '@scale/logger'
import { expect, vi } from 'vitest'

/** A logger whose lines are kept. */
export function recorded(): { logger: AppLogger; lines(count: number): Promise<Record<string, unknown>[]> } {
  let text = ''
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const written = (): string[] => text.split('\n').filter((line) => line !== '')
  return {
    logger: createLogger({ destination, writeAfterMs: 0, format: 'json', level: 'trace' }),
    /** The lines, once there are so many. */
    async lines(count) {
      await vi.waitFor(() => expect(written()).toHaveLength(count), { timeout: 10_000 })
      return written().map((line) => JSON.parse(line) as Record<string, unknown>)
    },
  }
}
