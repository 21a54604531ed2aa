/** A value by its type: a `date` is in seconds since 1970, `bytes` are decoded, a `token` is text that is not quoted. */
export type StructuredValue =
  | { readonly type: 'integer' | 'decimal' | 'date'; readonly value: number }
  | { readonly type: 'string' | 'token' | 'display'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'boolean'; readonly value: boolean }

/** Parameters by their names. One that names no value is `true`. */
export type StructuredParameters = ReadonlyMap<string, StructuredValue>

/** A value with its parameters. */
export type StructuredItem = StructuredValue & { readonly parameters: StructuredParameters }

/** A list inside of a list, or of a dictionary. */
export interface StructuredInnerList {
  readonly type: 'list'
  readonly items: readonly StructuredItem[]
  readonly parameters: StructuredParameters
}

/** What lists and dictionaries have in them. */
export type StructuredMember = StructuredItem | StructuredInnerList

/** A field as Node has it: one line, several, or none. */
type Field = string | readonly string[] | undefined

/**
 * Reads a structured field that is one item. Linear in its length.
 *
 * @returns `undefined` if it is malformed: then all of the field is to be ignored
 * @see RFC 9651 §4.2.3
 */
export function parseStructuredItem(field: Field): StructuredItem | undefined {
  return whole(field, (reader) => reader.item())
}

/** As `parseStructuredItem` for a list. A field that is absent or empty is an empty list. @see RFC 9651 §4.2.1 */
export function parseStructuredList(field: Field): readonly StructuredMember[] | undefined {
  return whole(field, (reader) => {
    const members: StructuredMember[] = []
    return reader.separated(() => members.push(reader.member())) ? members : undefined
  })
}

/**
 * As `parseStructuredItem` for a dictionary. Of two members of one name the later one counts.
 *
 * @see RFC 9651 §4.2.2
 */
export function parseStructuredDictionary(field: Field): ReadonlyMap<string, StructuredMember> | undefined {
  return whole(field, (reader) => {
    const members = new Map<string, StructuredMember>()
    const isRead = reader.separated(() => {
      const key = reader.must(KEY)
      members.set(
        key,
        reader.take(/=/y) === undefined ? { ...TRUE, parameters: reader.parameters() } : reader.member(),
      )
    })
    return isRead ? members : undefined
  })
}

/** A string as it stands in a structured field. Characters that it cannot hold are left out. @see RFC 9651 §4.1.6 */
export function formatStructuredString(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`
}

const KEY = /[a-z*][a-z0-9_.*-]*/y
const TRUE: StructuredValue = Object.freeze({ type: 'boolean', value: true })

/** What begins no value, or does not go on as it began. It never leaves this file. */
const MALFORMED = new SyntaxError('not a structured field')

function whole<Result>(field: Field, read: (reader: Reader) => Result): Result | undefined {
  const reader = new Reader(
    field === undefined || typeof field === 'string' ? (field ?? '') : field.join(', '),
  )
  try {
    reader.take(/ */y)
    const result = read(reader)
    reader.take(/ */y)
    return reader.isDone ? result : undefined
  } catch (error) {
    if (error === MALFORMED) return undefined
    throw error
  }
}

class Reader {
  #at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get isDone(): boolean {
    return this.#at >= this.#text.length
  }

  /** What a sticky pattern finds here: its group, if it has one. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match[1] ?? match[0]
  }

  must(pattern: RegExp): string {
    const found = this.take(pattern)
    if (found === undefined) throw MALFORMED
    return found
  }

  /** Members with commas between them. @returns whether nothing follows the last of them */
  separated(member: () => void): boolean {
    if (this.isDone) return true
    do {
      member()
      this.take(/[ \t]*/y)
      if (this.isDone) return true
      this.must(/,[ \t]*/y)
    } while (!this.isDone)
    return false
  }

  member(): StructuredMember {
    if (this.take(/\( */y) === undefined) return this.item()
    const items: StructuredItem[] = []
    while (this.take(/\)/y) === undefined) {
      items.push(this.item())
      if (this.take(/ +/y) === undefined) {
        this.must(/\)/y)
        break
      }
    }
    return { type: 'list', items, parameters: this.parameters() }
  }

  item(): StructuredItem {
    return { ...this.value(), parameters: this.parameters() }
  }

  parameters(): StructuredParameters {
    const parameters = new Map<string, StructuredValue>()
    while (this.take(/; */y) !== undefined) {
      const key = this.must(KEY)
      parameters.set(key, this.take(/=/y) === undefined ? TRUE : this.value())
    }
    return parameters
  }

  value(): StructuredValue {
    for (const [type, pattern, read] of VALUES) {
      const text = this.take(pattern)
      if (text !== undefined) return { type, value: read(text) } as StructuredValue
    }
    throw MALFORMED
  }
}

/** Each by what it looks like. A number that goes on after the most digits that it may have is none. */
const VALUES: readonly [
  type: StructuredValue['type'],
  pattern: RegExp,
  read: (text: string) => StructuredValue['value'],
][] = [
  ['decimal', /(-?\d{1,12}\.\d{1,3})(?![.\d])/y, Number],
  ['integer', /(-?\d{1,15})(?![.\d])/y, Number],
  ['string', /"([\x20\x21\x23-\x5b\x5d-\x7e]*(?:\\["\\][\x20\x21\x23-\x5b\x5d-\x7e]*)*)"/y, unescaped],
  ['token', /([A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*)/y, (text) => text],
  ['boolean', /\?([01])/y, (text) => text === '1'],
  ['bytes', /:([A-Za-z0-9+/]*={0,2}):/y, (text) => new Uint8Array(Buffer.from(text, 'base64'))],
  ['date', /@(-?\d{1,15})(?![.\d])/y, Number],
  ['display', /%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"/y, displayed],
]

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}

/** @throws MALFORMED it is not UTF-8 */
function displayed(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw MALFORMED
  }
}
