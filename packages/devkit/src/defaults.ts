/** What a text says a default is. */
export type DocumentedDefault =
  /** `Default 100`, `Default 'lax'`: a value that the defaults hold. */
  | { kind: 'value'; value: unknown }
  /** `Default none`: the defaults hold nothing under that name. */
  | { kind: 'none' }
  /** Default `cookie()`, in backticks: code that runs later, or a string of unusual characters. */
  | { kind: 'code'; text: string }
  /** `Default: the guard's own`: words, which no defaults object can hold. */
  | { kind: 'words' }
  /** `Default 10 minutes`: neither, and so an error of the text. */
  | { kind: 'unclear'; text: string }

/**
 * Reads the default that a docstring names, by the convention of docs/contributing.md.
 *
 * @returns `undefined` if the docstring names none
 */
export function documentedDefault(doc: string): DocumentedDefault | undefined {
  const match = /\bDefault(?<colon>:)? (?<rest>[\s\S]+)/.exec(doc)?.groups
  if (match === undefined) return undefined
  if (match.colon !== undefined) return { kind: 'words' }
  const text = /^(`[^`]*`|'[^']*'|[^\s,;:]*\d(?:[\d,_.]*\d)?|[\w-]+)/.exec(match.rest!)?.[0] ?? ''
  return parseDefault(text)
}

/** Reads the default in a cell of an options table. */
export function tabledDefault(cell: string): DocumentedDefault {
  return parseDefault(cell)
}

function parseDefault(text: string): DocumentedDefault {
  const literal = text.replace(/^`(.*)`$/s, '$1')
  if (literal === 'none') return { kind: 'none' }
  if (literal === 'true' || literal === 'false') return { kind: 'value', value: literal === 'true' }
  if (/^-?\d[\d,_]*(\.\d+)?$/.test(literal)) {
    return { kind: 'value', value: Number(literal.replace(/[,_]/g, '')) }
  }
  const string = /^'([^']*)'$/.exec(literal)
  if (string) return { kind: 'value', value: string[1] }
  if (/^[[{].*[\]}]$/s.test(literal)) {
    try {
      return { kind: 'value', value: JSON.parse(literal.replaceAll("'", '"')) }
    } catch {
      return { kind: 'unclear', text }
    }
  }
  if (literal === text) return { kind: 'unclear', text }
  // In backticks a string needs no quotes: Default `lax`. Anything else is code that only runs later: Default `cookie()`.
  return /^[\w-]+$/.test(literal) ? { kind: 'value', value: literal } : { kind: 'code', text: literal }
}
