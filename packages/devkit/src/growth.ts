import fc from 'fast-check'

/** What input to make of a size. */
export type Sized<Input> = (size: number) => Input

/** A text that repeats something between a beginning and an end: how patterns and parsers are brought to try again and again. */
export function repeatedText(words: readonly string[]): fc.Arbitrary<Sized<string> & { toString(): string }> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 3 }) },
  )
  const pieces = (max: number): fc.Arbitrary<string> =>
    fc.array(piece, { maxLength: max }).map((all) => all.join(''))
  return fc
    .tuple(pieces(2), fc.array(piece, { minLength: 1, maxLength: 3 }), pieces(2))
    .map(([begin, repeated, end]) => {
      const unit = repeated.join('')
      const sized = (size: number): string => begin + unit.repeat(Math.ceil(size / unit.length)) + end
      // What a report of a failure shows.
      return Object.assign(sized, { toString: () => JSON.stringify([begin, unit, end]) })
    })
}

/** A value of the kinds that a walk over values may be led astray by. */
export function largeValue(): fc.Arbitrary<Sized<unknown> & { toString(): string }> {
  const kinds: Record<string, Sized<unknown>> = {
    wide: (size) => Object.fromEntries(Array.from({ length: size }, (_, n) => [`n${n}`, n])),
    list: (size) => Array.from({ length: size }, (_, n) => ({ n })),
    deep: (size) => {
      let value: unknown = 0
      for (let n = 0; n < size; n++) value = { value }
      return value
    },
    'deep lists': (size) => {
      let value: unknown = 0
      for (let n = 0; n < size; n++) value = [value]
      return value
    },
    'each refers to each': (size) => {
      const all: Record<string, unknown>[] = Array.from({ length: Math.ceil(Math.sqrt(size)) }, () => ({}))
      for (const one of all) for (const [n, other] of all.entries()) one[`to${n}`] = other
      return { all }
    },
    'children that point back': (size) => {
      const parent: { children: object[] } = { children: [] }
      parent.children = Array.from({ length: size }, (_, id) => ({ id, parent }))
      return parent
    },
    'a diamond twice as wide at each step': (size) => {
      let value: unknown = 'end'
      for (let n = 0; n < Math.min(size, 64); n++) value = { left: value, right: value }
      return value
    },
    'causes of an error': (size) => {
      let cause: unknown
      for (let n = 0; n < size; n++) cause = new Error(`no ${n}`, { cause })
      return { cause }
    },
    'errors of an error': (size) =>
      new AggregateError(Array.from({ length: size }, (_, n) => new Error(`no ${n}`))),
    'what makes itself anew': () => {
      const value = { toJSON: () => ({ toJSON: value.toJSON, again: value }) }
      return value
    },
    map: (size) => new Map(Array.from({ length: size }, (_, n) => [n, { n }])),
    bytes: (size) => Buffer.alloc(size),
  }
  return fc
    .tuple(
      fc.constantFrom(...Object.keys(kinds)),
      fc.constantFrom(...Object.keys(kinds)),
      fc.string({ maxLength: 8 }),
    )
    .map(([outer, inner, name]) => {
      const sized = (size: number): unknown => ({
        [name]: kinds[outer]!(size),
        list: [kinds[inner]!(size)],
      })
      return Object.assign(sized, { toString: () => JSON.stringify([outer, inner, name]) })
    })
}

/** Below this nothing is measured: the clock and the compiler would be. */
const LEAST_MS = 0.5
/** Four times the input may take so many times as long; twice what a line has, and half of what a square has. */
const MOST_GROWTH = 8

/**
 * How much longer a work takes with four times the input, by the quickest of many tries. It is measured again, longer, before it is
 * believed: another process may have had the processor.
 *
 * @returns `undefined` if it is as linear as it should be
 */
export function superLinear<Input>(
  work: (input: Input) => unknown,
  make: Sized<Input>,
  size: number,
): { ms: number; growth: number } | undefined {
  for (const tries of [2, 8, 32]) {
    const [small, large] = [size, 4 * size].map((each) => quickestMs(work, make(each), tries))
    const growth = large! / Math.max(small!, LEAST_MS / 4)
    if (large! < LEAST_MS || growth <= MOST_GROWTH) return undefined
    if (tries === 32) return { ms: large!, growth }
  }
  return undefined
}

/** The quickest of so many tries, in ms. */
export function quickestMs<Input>(work: (input: Input) => unknown, input: Input, tries: number): number {
  let best = Number.POSITIVE_INFINITY
  for (let n = 0; n < tries; n++) {
    const startedAt = performance.now()
    work(input)
    best = Math.min(best, performance.now() - startedAt)
  }
  return best
}
