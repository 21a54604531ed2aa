/** A library may cut a long value short before it quotes it: this many characters in a row count as a quote. */
const WINDOW = 12
/** In any window there is one run of this length that starts at a multiple of `STEP`. */
const RUN = 4
const STEP = WINDOW - RUN + 1
/** Text shorter than this is found in any sentence: it counts only where it stands as a word of its own. */
const SHORT = 4
/** Beyond this much received text the search is not worth its time, and every sentence counts as a quote. */
const MAX_CHARACTERS = 1_048_576
const MAX_LEAVES = 100_000
const MAX_LEVELS = 1_000
/** More different values than this in one set of sentences are no coincidence. */
const MAX_REPEATED = 64

/**
 * True for what may be shown as a name: an array index, or up to 64 letters, digits and common separators, as in
 * `firstName`, `x-api-key`, `Straße 2`. A body that was sent with the wrong type can arrive as one long name.
 */
export function isPlainName(name: string): boolean {
  return /^[\p{L}\p{N}_$.:~/ -]{1,64}$/u.test(name)
}

/**
 * What of a received part stands in `text`: its strings, numbers and booleans, each as text.
 *
 * Schema libraries quote values in their messages, each in its own way: raw, as JSON, cut short. Found here are
 * a whole string, number or boolean of the part, as it is, trimmed or as JSON, in either case of letters; and
 * any twelve characters in a row of a longer one. Names that do not look like names count as values. Time grows with the
 * sum of both lengths.
 *
 * @returns `undefined` if too much was received to tell, or something that cannot be looked into
 */
export function repeatedIn(text: Sentences, received: unknown): ReadonlySet<string> | undefined {
  const repeated = new Set<string>()
  let characters = 0
  let leaves = 0

  function add(leaf: string): void {
    characters += leaf.length
    if (characters > MAX_CHARACTERS) throw tooMuch
    if (text.repeats(leaf) && repeated.add(leaf).size > MAX_REPEATED) throw tooMuch
  }

  function collect(value: unknown, level: number): void {
    if (value === null || value === undefined) return
    if (level > MAX_LEVELS || ++leaves > MAX_LEAVES || ArrayBuffer.isView(value)) throw tooMuch
    if (typeof value !== 'object') {
      add(String(value))
    } else if (Array.isArray(value)) {
      for (const element of value) collect(element, level + 1)
    } else {
      for (const name of Object.keys(value)) {
        if (!isPlainName(name)) add(name)
        collect((value as Record<string, unknown>)[name], level + 1)
      }
    }
  }

  try {
    collect(received, 0)
    return repeated
  } catch {
    return undefined
  }
}

/** What JSON writes as an escape; a pair of surrogates only looks like it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const escaped = /["\\\0-\x1f\ud800-\udfff]/
/** As it stands in JSON. A pattern such as `\d+` in a message is none. */
const jsonEscape = /\\(?:["\\bfnrt]|u[0-9a-f]{4})/i

const tooMuch = new Error('too much to search')

/** Of a power of two of bits, the most that are kept. */
const MAX_TRAITS = 8_192

const none = new Uint8Array(0)

/** Sentences that may quote something, prepared for a search by many values. */
export class Sentences {
  readonly #text: string
  /** True if something in it may be JSON with an escape: only then is a value looked for as JSON. */
  readonly #hasEscape: boolean
  /** Where each run stands. */
  #runs: Map<string, number[]> | undefined
  /** A mark for each such run, as most of what is looked up is not there. */
  #traits = none

  constructor(sentences: Iterable<string>) {
    this.#text = folded([...sentences].join('\n'))
    this.#hasEscape = jsonEscape.test(this.#text)
  }

  /** True if a sentence holds `value` in one of the forms in which libraries quote. */
  repeats(value: string): boolean {
    const trimmed = value.trim()
    return (
      this.#holds(value) ||
      (trimmed !== value && trimmed.length < WINDOW && this.#holds(trimmed)) ||
      (this.#hasEscape &&
        escaped.test(value) &&
        (this.#holds(JSON.stringify(value).slice(1, -1)) ||
          this.#holds(JSON.stringify(trimmed).slice(1, -1))))
    )
  }

  #holds(form: string): boolean {
    if (form === '') return false
    const word = folded(form)
    if (word.length >= WINDOW) return this.#holdsRunOf(word)
    return word.length < SHORT ? isWordOf(this.#text, word) : this.#text.includes(word)
  }

  #holdsRunOf(word: string): boolean {
    const text = this.#text
    if (text.length < WINDOW) return false
    this.#runs ??= this.#collectRuns()
    const traits = this.#traits
    const last = word.length - RUN
    for (let at = 0; at <= last; at += STEP) {
      if (traits[traitOf(word, at) & (traits.length - 1)] === 0) continue
      for (const found of this.#runs.get(word.slice(at, at + RUN)) ?? []) {
        let before = 0
        while (before < STEP && at > before && word[at - before - 1] === text[found - before - 1]) before++
        let length = before + RUN
        while (length < WINDOW && same(word[at - before + length], text[found - before + length])) length++
        if (length >= WINDOW) return true
      }
    }
    return false
  }

  #collectRuns(): Map<string, number[]> {
    const text = this.#text
    // So many that few of the others share a mark.
    let size = 1_024
    while (size < MAX_TRAITS && size < text.length * 128) size *= 2
    const traits = new Uint8Array(size)
    this.#traits = traits
    const runs = new Map<string, number[]>()
    for (let at = 0; at + RUN <= text.length; at++) {
      const run = text.slice(at, at + RUN)
      const places = runs.get(run)
      if (places === undefined) runs.set(run, [at])
      else places.push(at)
      traits[traitOf(text, at) & (size - 1)] = 1
    }
    return runs
  }
}

/** Lower case, ten times as fast as upper case outside of ASCII. At the end of a word a sigma is another one. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ')
}

function same(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a === b
}

function traitOf(text: string, at: number): number {
  return (text.charCodeAt(at) << 8) ^ (text.charCodeAt(at + 1) << 4) ^ text.charCodeAt(at + 3)
}

/** True if `word` stands in `sentence` with no letter or digit on either side. */
function isWordOf(sentence: string, word: string): boolean {
  for (let at = sentence.indexOf(word); at !== -1; at = sentence.indexOf(word, at + 1)) {
    const around = sentence.charAt(at - 1) + sentence.charAt(at + word.length)
    if (!/[\p{L}\p{N}]/u.test(around)) return true
  }
  return false
}
