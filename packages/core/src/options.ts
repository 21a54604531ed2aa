import { InvalidOption } from './errors.js'

/**
 * Judges one option value: `undefined` if it is good, else what it must be, as a noun phrase
 * ("an integer from 1 to 10"). It never sees `undefined` and never repeats the value, which may be secret.
 */
export type OptionCheck = (value: unknown) => string | undefined

/** One check per option name, kept complete by the compiler, so that a typo fails in JavaScript too. */
export type OptionChecks<Options> = {
  [Name in keyof Required<Options>]: OptionCheck
}

/** The options with every default filled in. */
export type ResolvedOptions<Options, Defaults> = Omit<Options, keyof Defaults> &
  Required<Pick<Options, keyof Defaults & keyof Options>>

/**
 * Checks options once and fills in defaults. An option given as `undefined` counts as not given.
 *
 * @param owner     who is asking, the first word of every message: `rateLimit`
 * @param given     what the caller passed; not changed
 * @param rules.checks    one check per known name
 * @param rules.defaults  one frozen object; zero, false and the empty string can be said
 * @param rules.required  names that have no default and must be given
 * @returns a new frozen object
 * @throws {InvalidOption} unknown name (with the nearest known one), missing name, or a check that failed
 */
export function resolveOptions<Options extends object, Defaults extends Partial<Options>>(
  owner: string,
  given: Options | undefined,
  rules: {
    checks: OptionChecks<Options>
    defaults: Defaults
    required?: readonly (keyof Options & string)[]
  },
): Readonly<ResolvedOptions<Options, Defaults>> {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    throw new InvalidOption(`${owner}: options must be an object, not ${nameOfType(given)}.`)
  }
  const resolved: Record<string, unknown> = { ...rules.defaults }
  const checks = rules.checks as Record<string, OptionCheck>
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(checks, name)) throw unknownOption(owner, name, Object.keys(checks))
    if (value !== undefined) resolved[name] = value
  }
  for (const name of rules.required ?? []) {
    if (resolved[name] === undefined) throw new InvalidOption(`${owner}: \`${name}\` is required.`)
  }
  for (const [name, value] of Object.entries(resolved)) {
    const wanted = checks[name]?.(value)
    if (wanted !== undefined) {
      throw new InvalidOption(`${owner}: \`${name}\` must be ${wanted}, not ${describe(value)}.`)
    }
  }
  return Object.freeze(resolved) as Readonly<ResolvedOptions<Options, Defaults>>
}

function unknownOption(owner: string, name: string, known: string[]): InvalidOption {
  const nearest = known
    .map((candidate) => ({
      candidate,
      distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance)[0]
  const hint =
    nearest && nearest.distance <= Math.max(2, name.length / 3)
      ? `Did you mean \`${nearest.candidate}\`?`
      : `Known options: ${known.join(', ')}.`
  return new InvalidOption(`${owner}: unknown option \`${name.slice(0, 64)}\`. ${hint}`)
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** Numbers and booleans are shown; anything that may hold a secret is named by its type. */
function describe(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : nameOfType(value)
}

function nameOfType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return value === '' ? 'an empty string' : 'that string'
  const type = typeof value
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

const MAX_TIMER_MS = 2 ** 31 - 1

/** An integer in a range, ends included. Default range: every safe integer from 0. */
export function integer(min: number = 0, max: number = Number.MAX_SAFE_INTEGER): OptionCheck {
  const wanted =
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`
  return (value) => (Number.isSafeInteger(value) && inRange(value, min, max) ? undefined : wanted)
}

/** A finite number in a range, ends included. */
export function number(min: number, max: number): OptionCheck {
  return (value) =>
    Number.isFinite(value) && inRange(value, min, max) ? undefined : `a number from ${min} to ${max}`
}

/**
 * A duration in whole milliseconds.
 *
 * @param min  Default 1
 * @param max  Default 2³¹−1 (24.8 days), the longest time a Node timer can wait; raise it where no timer is set
 */
export function durationMs(min: number = 1, max: number = MAX_TIMER_MS): OptionCheck {
  return (value) =>
    Number.isSafeInteger(value) && inRange(value, min, max)
      ? undefined
      : `a whole number of milliseconds from ${min} to ${max}`
}

/** `true` or `false`. */
export const boolean: OptionCheck = (value) => (typeof value === 'boolean' ? undefined : 'true or false')

/** A function. */
export const func: OptionCheck = (value) => (typeof value === 'function' ? undefined : 'a function')

/** An object that is not an array. */
export const object: OptionCheck = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'an object'

/** A string whose length is in a range. Default 1 to 1,024 characters. */
export function string(min: number = 1, max: number = 1_024): OptionCheck {
  return (value) =>
    typeof value === 'string' && inRange(value.length, min, max)
      ? undefined
      : `a string of ${min} to ${max} characters`
}

/** One of the given words. */
export function oneOf(...words: readonly string[]): OptionCheck {
  return (value) =>
    typeof value === 'string' && words.includes(value)
      ? undefined
      : `one of ${words.map((word) => `'${word}'`).join(', ')}`
}

/** An array of `min` or more elements that each pass `check`. */
export function arrayOf(check: OptionCheck, min: number = 0): OptionCheck {
  return (value) => {
    if (!Array.isArray(value) || value.length < min) {
      return min === 0 ? 'an array' : `an array of at least ${min}`
    }
    const wanted = value.map(check).find((message) => message !== undefined)
    return wanted === undefined ? undefined : `an array in which each element is ${wanted}`
  }
}

/** Passes if one of the checks does. */
export function anyOf(...checks: readonly OptionCheck[]): OptionCheck {
  return (value) => {
    const wanted = checks.map((check) => check(value))
    return wanted.includes(undefined) ? undefined : wanted.join(' or ')
  }
}

/** Accepts anything, for options that another function checks. */
export const anything: OptionCheck = () => undefined

function inRange(value: unknown, min: number, max: number): boolean {
  return (value as number) >= min && (value as number) <= max
}
