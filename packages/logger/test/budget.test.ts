import { describe, expect, it } from 'vitest'
import { errorFields } from '../src/index.js'
import { isSecretName, redactQuery, scrubForeign, scrubPath, scrubText } from '../src/redaction/redact.js'
import { safeFields } from '../src/redaction/safe-fields.js'
import { parseTraceparent, parseTracestate } from '../src/request/trace-context.js'
import { recorded } from './support/server.js'

// What clients send must not be able to hold the loop: work grows with the length of it, and a line is bounded.

const SIZES = [64 * 1024, 256 * 1024]
/** Generous for a busy machine; a quadratic pattern takes minutes at these sizes. */
const BOUND_MS = 200

/** The best of up to five: what others do on the machine does not count. */
function tookMs(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 5 && best >= BOUND_MS; tries++) {
    const startedAt = performance.now()
    work()
    best = Math.min(best, performance.now() - startedAt)
  }
  return best
}

const openings = [
  'a=b',
  'password',
  'token=',
  'redis://',
  '__Host-',
  '-----BEGIN ',
  'eyJ',
  'Bearer ',
  '"',
  'invalid value ',
]
const units = [
  ...[
    'a',
    'A1',
    '0',
    ' ',
    '\n',
    '\t',
    '-',
    '_',
    '.',
    '=',
    ':',
    '/',
    '@',
    '"',
    "'",
    '\\',
    '\\"',
    '%',
    '%41',
    '&',
    '&a=',
    '?',
    ',',
  ],
  ...[
    'a.',
    'a-',
    'a+',
    'a://',
    '://',
    '://@',
    'redis://',
    'redis+a://',
    'postgres://a:b',
    'x@',
    '4 ',
    '4-',
    '4242',
  ],
  ...[
    'password',
    'password=',
    'password="',
    "password='",
    'pass ',
    'secret:',
    'secret=\\"',
    'token.',
    'apikey-',
    'api_key : ',
  ],
  ...[
    'Bearer ',
    'Basic a ',
    'eyJ',
    'eyJaaaaa.',
    '-----BEGIN ',
    '-----BEGIN KEY-----',
    '-----END ',
    'KEY-----',
    'AKIA',
  ],
  ...[
    'sk_live_',
    'ghp_',
    'xoxb-',
    '12345678:',
    'hooks.slack.com/a/',
    '__Host-',
    '__Secure-a',
    'cookie',
    'cookie ',
    'cookie:',
  ],
  ...['Unexpected token ', 'Unexpected token "', '..."', '" is not valid JSON', 'with args beginning with:'],
  ...[
    'invalid value ',
    'invalid input syntax: ',
    "Received '",
    'Received type a (',
    'Unrecognized key: ',
    'a=b,',
    '{"a":',
  ],
]

describe('no text takes more than its length', () => {
  const functions: [name: string, work: (text: string) => unknown][] = [
    ['scrubText', scrubText],
    ['scrubForeign', scrubForeign],
    ['scrubPath', (text) => scrubPath(`/${text}`, { token: text })],
    ['redactQuery', redactQuery],
    ['isSecretName', isSecretName],
    ['parseTraceparent', parseTraceparent],
    ['parseTracestate', parseTracestate],
    ['errorFields', (text) => errorFields(Object.assign(new Error(text), { code: text, cause: text }))],
    ['fields: a value', (text) => safeFields()({ query: { q: text }, text })],
    ['fields: a name', (text) => safeFields()({ [text]: text })],
  ]

  it.each(functions)('%s', (_, work) => {
    for (const size of SIZES) {
      for (const unit of units) {
        const text = unit.repeat(size / unit.length)
        expect(
          tookMs(() => work(text)),
          `${JSON.stringify(unit)} to ${size}`,
        ).toBeLessThan(BOUND_MS)
      }
    }
    for (const opening of openings) {
      for (const unit of units) {
        const text = `${opening}${unit.repeat(32_768 / unit.length)}x`
        expect(
          tookMs(() => work(text)),
          JSON.stringify([opening, unit]),
        ).toBeLessThan(BOUND_MS)
      }
    }
  })

  it('a logger: messages, values of a format, children, errors', () => {
    const { logger } = recorded({ format: 'json' })
    for (const unit of units) {
      const text = unit.repeat(65_536 / unit.length)
      const work = (): void => {
        logger.info(text)
        logger.info('%s', text)
        logger.info({ body: text, note: text }, text)
        logger.child({ note: text }).error(new Error(text))
      }
      expect(tookMs(work), JSON.stringify(unit)).toBeLessThan(BOUND_MS)
    }
  })
})

describe('no value makes a long line', () => {
  const lengthOf = (fields: object): number => JSON.stringify(safeFields()(fields)).length

  it('objects that all refer to one another', () => {
    const all: Record<string, unknown>[] = Array.from({ length: 14 }, () => ({}))
    for (const one of all) for (const [n, other] of all.entries()) one[`to${n}`] = other
    expect(tookMs(() => lengthOf({ all }))).toBeLessThan(BOUND_MS)
    expect(lengthOf({ all })).toBeLessThan(65_536)
  })

  it('children that point back at their parent', () => {
    const parent: { children: object[] } = { children: [] }
    parent.children = Array.from({ length: 100 }, (_, id) => ({ id, parent }))
    expect(lengthOf({ parent })).toBeLessThan(8_192)
    expect(safeFields()({ parent })).toMatchObject({
      parent: { children: { 0: { id: 0, parent: '[circular]' } } },
    })
  })

  it('text, names, errors and members without end', () => {
    const text = 'word '.repeat(1_000)
    expect(lengthOf({ body2: Array.from({ length: 100 }, () => text) })).toBeLessThan(65_536)
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`n${n}`, { n: { n } }]))
    expect(lengthOf({ wide, again: Array.from({ length: 100 }, () => wide) })).toBeLessThan(65_536)
    expect(lengthOf({ errors: Array.from({ length: 100 }, () => new Error(text)) })).toBeLessThan(65_536)
    const tree = (depth: number): Error =>
      depth === 0
        ? new Error(text)
        : new AggregateError(
            Array.from({ length: 10 }, () => tree(depth - 1)),
            text,
          )
    expect(JSON.stringify(errorFields(tree(4))).length).toBeLessThan(262_144)
  })

  it('the same object twice, which is no circle, is written twice', () => {
    const shared = { a: 1 }
    expect(safeFields()({ one: shared, two: shared })).toEqual({ one: { a: 1 }, two: { a: 1 } })
  })
})

describe('names decide', () => {
  it.each([
    'password',
    'SMTP_PASS',
    'dbPass',
    'userPin',
    'otp',
    'sms_otp',
    'cvv',
    'iban',
    'signingKey',
    'STRIPE_KEY',
    'x-api-key',
    'clientSecret',
    'passport',
    'accountPin',
    'discount_otp',
    'totalPassword',
    'versionKey',
  ])('%s is secret, a number too', (name) => {
    expect(safeFields()({ [name]: 'word', a: { [name]: 482913 } })).toEqual({
      [name]: '[redacted]',
      a: { [name]: '[redacted]' },
    })
  })

  it.each([
    'primaryKey',
    'cacheKey',
    'partition_key',
    'keyboard',
    'key',
    'monkey',
    'bypass',
    'passed',
    'compass',
    'spinner',
    'shipping',
    'tokens',
    'maxTokens',
    'tokenCount',
    'token_limit_per_user',
    'passwordMaxAge',
    'tokenExpiresAt',
    'apiKeys',
  ])('%s is not', (name) => {
    expect(safeFields()({ [name]: 7 })).toEqual({ [name]: 7 })
  })
})

it('card numbers are known by their check digit, wherever they stand', () => {
  const safe = safeFields()({
    a: 4242424242424242,
    b: 'paid by 4242 4242 4242 4242 today',
    c: '378282246310005',
  })
  expect(safe).toEqual({ a: '[redacted]', b: 'paid by [redacted] today', c: '[redacted]' })
  const plain = {
    a: 4242424242424241,
    b: '4242 4242 4242 4243',
    us: 1_795_187_953_445_123,
    id: '7f8a1d9e-3c52-4a84-9d56-6b0c2b4e7a11',
  }
  expect(safeFields()(plain)).toEqual(plain)
})

it('half a secret at the place where text is cut is not written', () => {
  const text = `${'a '.repeat(2_040)}redis://u:hunter2hunter2hunter2@host`
  expect(scrubText(text)).not.toContain('hunter')
  expect(scrubText('password="never closed')).not.toContain('never')
})
