import type { Readable } from 'node:stream'
import { arrayOf, func, integer, type OptionCheck, type ResolvedOptions, resolveOptions } from '@scale/core'
import { mediaType } from '../options.js'

/** What the files of one field may be. */
export interface FileRule {
  /**
   * Media types: `image/png`, or `image/*` for all of a kind, stars on both sides for any. It is what clients say, and
   * for common types how the file begins.
   */
  types: readonly string[]
  /** Largest file, in bytes. */
  maxBytes: number
  /** Most files in this field, 1–1,000. With 1 the member of `req.body` is the file, else an array. Default 1 */
  maxCount?: number
}

/** A file that is coming. */
export interface IncomingFile {
  /** Name of the field. */
  field: string
  /** As the client calls it, without folders: never use it as a path. */
  name: string
  /** Media type, one of those that the rule has. */
  type: string
  /** Its bytes. It fails if the file is larger than its rule has it, or not of its type. */
  stream: Readable
}

/** Options of `multipart`. */
export interface MultipartOptions<Stored = unknown> {
  /** The fields that take files, by name. A file in any other field is refused. */
  files: Readonly<Record<string, FileRule>>
  /**
   * Keeps one file: reads `stream` to its end, with `pipeline`, and returns what the app needs to find it again, a path or a
   * key. Nothing is buffered here: to have a file in memory, return `buffer(file.stream)` of `node:stream/consumers`.
   */
  store: (file: IncomingFile) => Stored | Promise<Stored>
  /**
   * Removes a stored file again. Called for each one where the request was not answered with a status below 400: its
   * body was refused, its handler failed, the client left. Default: they stay
   */
  remove?: (stored: Stored) => unknown
  /** Most fields that are no files, 0–10,000. Default 100 */
  maxFields?: number
  /** Largest value of such a field, in bytes, 1–16,777,216. Default 65536 */
  maxFieldBytes?: number
}

/** The defaults of `MultipartOptions`. */
export const multipartDefaults: Readonly<{ maxFields: number; maxFieldBytes: number }> = Object.freeze({
  maxFields: 100,
  maxFieldBytes: 65_536,
})

/** The options after the check. */
export type MultipartRules = Readonly<ResolvedOptions<MultipartOptions, typeof multipartDefaults>>

const count = integer(1, 1_000)
const bytes = integer(1)
const types = arrayOf(mediaType, 1)

const fileRules: OptionCheck = (value) =>
  typeof value === 'object' && value !== null && Object.values(value).every(isRule)
    ? undefined
    : 'an object with { types, maxBytes, maxCount } per field'

function isRule(rule: Partial<FileRule> | null | undefined): boolean {
  return (
    typeof rule === 'object' &&
    rule !== null &&
    Object.keys(rule).every((name) => ['types', 'maxBytes', 'maxCount'].includes(name)) &&
    types(rule.types) === undefined &&
    bytes(rule.maxBytes) === undefined &&
    (rule.maxCount === undefined || count(rule.maxCount) === undefined)
  )
}

/** @throws {InvalidOption} */
export function resolveMultipartRules(given: object): MultipartRules {
  return resolveOptions<MultipartOptions, typeof multipartDefaults>('multipart', given as MultipartOptions, {
    checks: {
      files: fileRules,
      store: func,
      remove: func,
      maxFields: integer(0, 10_000),
      maxFieldBytes: integer(1, 16_777_216),
    },
    defaults: multipartDefaults,
    required: ['files', 'store'],
  })
}
