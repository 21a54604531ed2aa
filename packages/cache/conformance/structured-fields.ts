import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  parseStructuredDictionary,
  parseStructuredItem,
  parseStructuredList,
  type StructuredMember,
  type StructuredParameters,
  type StructuredValue,
} from '@scale/core'

/** One case of the HTTP working group's vectors. */
interface Vector {
  readonly name: string
  readonly raw: readonly string[]
  readonly header_type: 'item' | 'list' | 'dictionary'
  readonly expected?: unknown
  readonly must_fail?: boolean
  readonly can_fail?: boolean
}

const TYPES: Partial<Record<StructuredValue['type'], string>> = {
  bytes: 'binary',
  token: 'token',
  date: 'date',
  display: 'displaystring',
}
const BASE_32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** As the vectors write bytes. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const digits = (bits.match(/.{1,5}/g) ?? []).map((five) => BASE_32[Number.parseInt(five.padEnd(5, '0'), 2)])
  return digits.join('').padEnd(Math.ceil(digits.length / 8) * 8, '=')
}

/** What was read, in the form in which the vectors write it. */
function writtenOf({ type, value }: StructuredValue): unknown {
  const written = type === 'bytes' ? base32(value) : value
  return TYPES[type] === undefined ? written : { __type: TYPES[type], value: written }
}
const parametersOf = (parameters: StructuredParameters): unknown =>
  [...parameters].map(([name, value]) => [name, writtenOf(value)])
const memberOf = (member: StructuredMember): unknown => [
  member.type === 'list' ? member.items.map(memberOf) : writtenOf(member),
  parametersOf(member.parameters),
]

function read({ header_type, raw }: Vector): unknown {
  if (header_type === 'item') {
    const item = parseStructuredItem(raw)
    return item && memberOf(item)
  }
  if (header_type === 'list') return parseStructuredList(raw)?.map(memberOf)
  const members = parseStructuredDictionary(raw)
  return members && [...members].map(([name, member]) => [name, memberOf(member)])
}

function passes(vector: Vector): boolean {
  const found = read(vector)
  if (vector.must_fail === true) return found === undefined
  if (found === undefined) return vector.can_fail === true
  return JSON.stringify(found) === JSON.stringify(vector.expected)
}

/**
 * Tries the reader of structured fields on the vectors of a checkout of httpwg/structured-field-tests, and prints those
 * that it reads otherwise.
 *
 * @returns whether there is none
 */
export async function tryVectors(checkout: string): Promise<boolean> {
  const files = (await readdir(checkout)).filter((file) => file.endsWith('.json'))
  const read = await Promise.all(files.map((file) => readFile(join(checkout, file), 'utf8')))
  const vectors = read.flatMap((text) => JSON.parse(text) as Vector[])
  const failed = vectors.filter((vector) => !passes(vector))
  for (const { name, raw } of failed) console.log(`✗ ${name}: ${JSON.stringify(raw)}`)
  console.log(`${vectors.length - failed.length} of ${vectors.length} vectors of structured fields`)
  return vectors.length > 0 && failed.length === 0
}
