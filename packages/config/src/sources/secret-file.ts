import { readFileSync, statSync } from 'node:fs'

/** More is no secret, and a sign of a wrong path. */
const MAX_BYTES = 1_048_576

/**
 * The text in a file, without the end of its last line.
 *
 * @throws {Error} a sentence without a subject: it cannot be read, is empty, too long, or no text
 */
export function readSecret(path: string): string {
  const text = decoded(bytesOf(path)).replace(/\r?\n$/, '')
  if (text === '') throw new Error('names a file that is empty')
  return text
}

function bytesOf(path: string): Buffer {
  try {
    const { size } = statSync(path)
    if (size <= MAX_BYTES) return readFileSync(path)
  } catch (cause) {
    throw new Error(`names a file that cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  throw new Error(`names a file of more than ${MAX_BYTES.toLocaleString('en')} bytes`)
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Error('names a file that is no text in UTF-8', { cause })
  }
}
