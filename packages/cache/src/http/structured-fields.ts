import { type Directives, isSeconds } from './cache-control.js'

const KEY = /[a-z*][a-z0-9_.*-]*/y
const NUMBER = /-?\d{1,15}(?:\.\d{1,3})?/y
const STRING = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/y
const BINARY = /:[A-Za-z0-9+/=]*:/y
const BOOLEAN = /\?[01]/y

/** Reads structured fields, as much of them as targeted cache control and cache groups need: no inner lists. */
class Reader {
  #at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match[1] ?? match[0]
  }

  isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    return pattern.test(this.#text)
  }

  /** @returns the item as text, `false` for `?0`, `undefined` if there is none */
  item(): string | boolean | undefined {
    const boolean = this.take(BOOLEAN)
    if (boolean !== undefined) return boolean === '?1'
    const string = this.take(STRING)
    if (string !== undefined) return string.replace(/\\(.)/g, '$1')
    return this.take(NUMBER) ?? this.take(TOKEN) ?? this.take(BINARY)
  }

  /** @returns false if they are malformed */
  parameters(): boolean {
    while (this.take(/ *;/y) !== undefined) {
      this.take(/ */y)
      if (this.take(KEY) === undefined) return false
      if (this.take(/=/y) !== undefined && this.item() === undefined) return false
    }
    return true
  }

  /** @returns false if what follows is neither the end nor a comma with something after it */
  next(): boolean {
    this.take(/[ \t]*/y)
    if (this.done) return true
    if (this.take(/,/y) === undefined) return false
    this.take(/[ \t]*/y)
    return !this.done
  }
}

/**
 * A dictionary, as directives: `undefined` if it is malformed, and then the whole field is to be ignored.
 *
 * @see RFC 9651 §4.2.2 · RFC 9213 §2.1
 */
export function parseDictionary(field: string): Directives | undefined {
  const reader = new Reader(field.trim())
  const directives = new Map<string, string | true>()
  while (!reader.done) {
    const key = reader.take(KEY)
    if (key === undefined) return undefined
    const hasValue = reader.take(/=/y) !== undefined
    const isInteger = reader.isAt(/\d{1,15}(?![.\d])/y)
    const value = hasValue ? reader.item() : true
    if (value === undefined || !reader.parameters() || !reader.next()) return undefined
    directives.delete(key)
    // Of another type than is expected, a string above all, it is not there.
    if (value !== false && (!isSeconds(key) || (hasValue && isInteger))) directives.set(key, value)
  }
  return directives
}

/**
 * A list of strings; other items are left out. `undefined` if it is malformed.
 *
 * @see RFC 9651 §4.2.1 · RFC 9875 §2
 */
export function parseStringList(field: string): string[] | undefined {
  const reader = new Reader(field.trim())
  const strings: string[] = []
  while (!reader.done) {
    const string = reader.take(STRING)
    if (string !== undefined) strings.push(string.replace(/\\(.)/g, '$1'))
    else if (reader.item() === undefined) return undefined
    if (!reader.parameters() || !reader.next()) return undefined
  }
  return strings
}

/** A list of strings as a field. Characters that a string cannot hold are left out. */
export function formatStringList(strings: readonly string[]): string {
  return strings
    .map((string) => `"${string.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`)
    .join(', ')
}
