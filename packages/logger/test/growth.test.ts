import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import {
  channel,
  clientAddress,
  parseStructuredDictionary,
  parseStructuredItem,
  parseStructuredList,
  requestDeadline,
  requestRecord,
} from '@scale/core'
import { largeValue, quickestMs, repeatedText, type Sized, superLinear } from '@scale/devkit/growth'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AppLogger, createLogger, errorFields, log, logChannels, requestLogger } from '../src/index.js'

// A generated search for what takes more than its length: every public function of this package, and those of core that read what
// clients send. `RUNS` in the environment says how many are tried of each.

const RUNS = Number(process.env.RUNS ?? 60)
/** Below and above what a text is cut to. */
const SIZES = fc.constantFrom(1_024, 8_192)

function quiet(format: 'json' | 'human' = 'json'): AppLogger {
  const logger = createLogger({ destination: { write: () => true }, format, level: 'trace', writeAfterMs: 0 })
  onTestFinished(() => logger.flushSync())
  return logger
}

/** A request that has come and ended, as far as middleware sees it; its parts are what a client sends. */
function request(text: string): { req: IncomingMessage; res: ServerResponse } {
  const req = new IncomingMessage(new Socket())
  const clean = text.replace(/[^\x21-\x7e]/g, '_')
  Object.assign(req, { method: 'GET', url: `/${clean}?q=${clean}&${clean}` })
  for (const name of [
    'referer',
    'user-agent',
    'traceparent',
    'tracestate',
    'x-forwarded-for',
    'host',
    'origin',
  ]) {
    req.headers[name] = clean
  }
  Object.assign(req.headers, { 'x-request-id': clean, 'request-timeout': clean, 'grpc-timeout': clean })
  return { req, res: new ServerResponse(req) }
}

const words = [
  ...[
    'a',
    'A',
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
    '%',
    '&',
    '?',
    ',',
    ';',
    '(',
    '[',
  ],
  ...[
    '://',
    'redis://',
    'postgres://a:b',
    '4242',
    '%41',
    '\\"',
    'password',
    'pass',
    'secret=',
    'token:',
    'api_key',
    'otp',
    'pin=',
  ],
  ...[
    'Bearer ',
    'Basic ',
    'eyJ',
    '-----BEGIN ',
    'KEY-----',
    '-----END ',
    'AKIA',
    'sk_live_',
    '_secret_',
    's:',
    'SK',
    '12345678:',
  ],
  ...[
    'hooks.slack.com/a/',
    '__Host-',
    'cookie:',
    'Unexpected token ',
    ' is not valid JSON',
    'with args beginning with:',
  ],
  ...[
    'invalid value ',
    "Received '",
    'Unrecognized key: ',
    '{"a":',
    '00-',
    '1.5',
    'a=b',
    '::ffff:',
    'for=',
    'http://a',
    '?1',
    '*',
  ],
]

const TEXT_PLACES = [
  'logger.info: message',
  'logger.info: formats',
  'logger.info: fields, their names',
  'logger.info for people',
  'logger.child',
  'errorFields',
  'logger.error',
  'requestLogger',
  'logChannels',
  'core: clientAddress',
  'core: requestDeadline',
  'core: parseStructuredDictionary',
  'core: parseStructuredList',
  'core: parseStructuredItem',
] as const

/** Every public function, given a text in each place that takes one. */
function ofTexts(): Record<(typeof TEXT_PLACES)[number], (text: string) => unknown> {
  const logger = quiet()
  const human = quiet('human')
  const middleware = requestLogger({
    logger,
    query: 'redact',
    headers: ['referer', 'user-agent', 'host', 'origin'],
    fields: (req) => ({ url: req.url }),
  })
  onTestFinished(logChannels(logger, { maxLines: 1_000_000 }))
  return {
    'logger.info: message': (text) => logger.info(text),
    'logger.info: formats': (text) => logger.info('%s %o %j', text, { text }, text),
    'logger.info: fields, their names': (text) =>
      logger.info({ text, query: { text }, [text]: text, list: [text] }),
    'logger.info for people': (text) => human.info({ text, err: new Error(text) }, text),
    'logger.child': (text) => logger.child({ text, [text]: 1 }).info('x'),
    errorFields: (text) =>
      errorFields(Object.assign(new Error(text), { code: text, name: text, stack: text, type: text })),
    'logger.error': (text) =>
      logger.error(Object.assign(new Error(text, { cause: text }), { command: { name: text } })),
    requestLogger: (text) => {
      const { req, res } = request(text)
      middleware(req, res, () => log().info('within'))
      requestRecord(req, res).fail(new Error(text))
      res.emit('close')
    },
    logChannels: (text) => channel('scale:redis:connection-error').publish({ error: new Error(text) }),
    'core: clientAddress': (text) => clientAddress(request(text).req),
    'core: requestDeadline': (text) => requestDeadline(request(text).req),
    'core: parseStructuredDictionary': parseStructuredDictionary,
    'core: parseStructuredList': parseStructuredList,
    'core: parseStructuredItem': parseStructuredItem,
  }
}

function search<Input>(
  work: (input: Input) => unknown,
  inputs: fc.Arbitrary<Sized<Input> & { toString(): string }>,
  sizes: fc.Arbitrary<number>,
): void {
  // The compiler first.
  for (const make of fc.sample(inputs, 5)) work(make(1_024))
  fc.assert(
    fc.property(inputs, sizes, (make, size) => {
      const grown = superLinear(work, make, size)
      expect(grown, make.toString()).toBeUndefined()
    }),
    { numRuns: RUNS, endOnFailure: true },
  )
}

describe('no generated text takes more than its length', () => {
  it.each(TEXT_PLACES)('%s', (name) => {
    search(ofTexts()[name], repeatedText(words), SIZES)
  })
})

describe('no generated value takes more than its size', () => {
  it.each<[name: string, work: (logger: AppLogger) => (value: unknown) => unknown]>([
    ['fields', (logger) => (value) => logger.info({ value })],
    ['a format', (logger) => (value) => logger.info('%j', value as never)],
    ['a child', (logger) => (value) => logger.child({ value }).info('x')],
    [
      'an error',
      () => (value) => errorFields(Object.assign(new Error('no', { cause: value }), { errors: [value] })),
    ],
  ])('%s', (_, work) => {
    search(work(quiet()), largeValue(), fc.constantFrom(256, 2_048))
  })
})

it('the search finds what is quadratic', () => {
  const quadratic = (text: string): boolean => /a+b$/.test(text)
  expect(superLinear(quadratic, (size) => 'a'.repeat(size), 512)).toMatchObject({ ms: expect.any(Number) })
  expect(
    superLinear(
      (text: string) => [...text].sort(),
      (size) => 'ba'.repeat(size),
      8_192,
    ),
  ).toBeUndefined()
})

describe('what once held the loop for seconds takes less than 5 ms', () => {
  const lettersOf = (length: number): string => 'abcdefghijklmnopqrstuvwxyz'.repeat(length / 26)
  const all: Record<string, unknown>[] = Array.from({ length: 14 }, () => ({}))
  for (const one of all) for (const [n, other] of all.entries()) one[`to${n}`] = other
  const parent: { children: object[] } = { children: [] }
  parent.children = Array.from({ length: 100 }, (_, id) => ({ id, parent }))

  it.each<[name: string, work: (logger: AppLogger) => unknown]>([
    ['a message of 64 KB without a space', (logger) => logger.info(lettersOf(65_536))],
    ['a body of 80 KB as fields', (logger) => logger.info({ note: { text: lettersOf(80_000) } })],
    ['14 objects that refer to one another', (logger) => logger.info({ all })],
    ['a parent whose 100 children point back', (logger) => logger.info({ parent })],
    ['an error with a message of 64 KB', (logger) => logger.error(new Error(lettersOf(65_536)))],
    [
      'a query of 15,000 letters',
      (logger) => {
        const { req, res } = request('')
        req.url = `/?q=${lettersOf(15_000)}`
        requestLogger({ logger, query: 'redact' })(req, res, () => {})
        res.emit('close')
      },
    ],
    [
      'headers of 16 KB',
      (logger) => {
        const { req, res } = request(lettersOf(16_000))
        requestLogger({ logger, headers: ['referer', 'user-agent', 'origin'] })(req, res, () => {})
        res.emit('close')
      },
    ],
  ])('%s', (_, work) => {
    expect(quickestMs(work, quiet(), 30)).toBeLessThan(5)
  })
})
