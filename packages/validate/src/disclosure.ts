/** A library may cut a long value short before it quotes it: this many characters in a row count as a quote. */
const WINDOW = 12
/** Text shorter than this is found in any sentence: it counts only where it stands as a word of its own. */
const SHORT = 4
/** Beyond this much received text the search is not worth its time, and every message counts as a quote. */
const MAX_CHARACTERS = 16_384
const MAX_LEAVES = 1_000
const MAX_LEVELS = 1_000

/**
 * True for what may be shown as a name: an array index, or up to 64 letters, digits and common separators, as in
 * `firstName`, `x-api-key`, `Straße 2`. A body that was sent with the wrong type can arrive as one long name.
 */
export function isPlainName(name: string): boolean {
  return /^[\p{L}\p{N}_$.:~/ -]{1,64}$/u.test(name)
}

/**
 * Everything a client sent in one part, to tell whether a sentence repeats any of it.
 *
 * Schema libraries quote values in their messages, each in its own way: raw, as JSON, cut short. Found here are
 * a whole string, number or boolean of the part, as it is, trimmed or as JSON, in either case of letters; and
 * any twelve characters in a row of a longer one. Names that do not look like names count as values.
 */
export class ReceivedText {
  readonly #words: string[] = []
  readonly #windows: Set<string> = new Set()
  #characters = 0
  #leaves = 0
  #tooMuch = false

  constructor(received: unknown) {
    this.#collect(received, 0)
  }

  /** True if `text` repeats something received, or if too much was received to tell. */
  occursIn(text: string): boolean {
    if (this.#tooMuch) return true
    const sentence = text.toUpperCase()
    for (let start = 0; this.#windows.size > 0 && start + WINDOW <= sentence.length; start++) {
      if (this.#windows.has(sentence.slice(start, start + WINDOW))) return true
    }
    return this.#words.some((word) =>
      word.length < SHORT ? isWordOf(sentence, word) : sentence.includes(word),
    )
  }

  #collect(value: unknown, level: number): void {
    if (this.#tooMuch || value === null || value === undefined) return
    if (level > MAX_LEVELS || ++this.#leaves > MAX_LEAVES) {
      this.#tooMuch = true
    } else if (typeof value !== 'object') {
      this.#add(String(value))
    } else if (ArrayBuffer.isView(value)) {
      this.#tooMuch = true
    } else {
      for (const [name, member] of Object.entries(value)) {
        if (!isPlainName(name)) this.#add(name)
        this.#collect(member, level + 1)
      }
    }
  }

  #add(raw: string): void {
    this.#characters += raw.length
    if (this.#characters > MAX_CHARACTERS) {
      this.#tooMuch = true
      return
    }
    const forms = new Set([raw, raw.trim(), JSON.stringify(raw).slice(1, -1)])
    // Upper case, as lower case depends on the next letter: a final sigma is another one.
    for (const form of forms) this.#addText(form.toUpperCase())
  }

  #addText(text: string): void {
    if (text === '') return
    if (text.length < WINDOW) this.#words.push(text)
    for (let start = 0; start + WINDOW <= text.length; start++) {
      this.#windows.add(text.slice(start, start + WINDOW))
    }
  }
}

/** True if `word` stands in `sentence` with no letter or digit on either side. */
function isWordOf(sentence: string, word: string): boolean {
  for (let at = sentence.indexOf(word); at !== -1; at = sentence.indexOf(word, at + 1)) {
    const around = sentence.charAt(at - 1) + sentence.charAt(at + word.length)
    if (!/[\p{L}\p{N}]/u.test(around)) return true
  }
  return false
}
