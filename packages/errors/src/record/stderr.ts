import { writeSync } from 'node:fs'
import { property } from '../property.js'

const STDERR = 2

/** `process.stderr` may be asynchronous; the descriptor never is. A full pipe says EAGAIN: ask again, for a while. */
export function writeToStderr(text: string): void {
  let rest = Buffer.from(text)
  for (let attempt = 0; attempt < 1_000 && rest.length > 0; attempt++) {
    try {
      rest = rest.subarray(writeSync(STDERR, rest))
    } catch (error) {
      if (property(error, 'code') !== 'EAGAIN') return
    }
  }
}
