import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createLogger, type LoggerOptions, log, requestLogger } from '../src/index.js'
import { ask, frameworks, listen, recorded, untilLines } from './support/server.js'

/** The names of a line in their order, a name that comes twice twice. Values of these tests hold no names. */
function namesOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)":/g)].map(([, name]) => JSON.parse(`"${name}"`) as string)
}

const NAMES = [
  ...['level', 'time', 'msg', 'process.pid', 'service.name', 'request_id', 'trace_id', 'span_id'],
  ...['trace_flags', 'component', 'level_', 'http.route', 'url.path', 'duration_ms', 'ending', 'suppressed'],
  ...[
    'error.type',
    'client.address',
    'link.trace_id',
    'fields_error',
    'dropped',
    '__proto__',
    'a"b',
    'x","level":"fatal',
  ],
]
const fields = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 9 }))

describe('each name is once in a line, and the logger decides its own', () => {
  it('whatever fields, children and messages there are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fields,
        fc.array(fields, { maxLength: 3 }),
        fields,
        fc.option(fc.constantFrom('hello', 'fatal'), { nil: undefined }),
        async (base, children, own, message) => {
          const { lines, logger } = recorded({ service: 'users', fields: base, foldAfter: 1 })
          const child = children.reduce((parent, one) => parent.child(one), logger)
          for (let n = 0; n < 3; n++) child.warn(own, message)
          await logger.flush()
          for (const line of lines.text.trim().split('\n')) {
            const names = namesOf(line)
            expect(new Set(names).size).toBe(names.length)
          }
          const last = lines.all.at(-1)!
          expect(last).toMatchObject({
            level: 'warn',
            time: expect.stringMatching(/^\d{4}-/),
            'service.name': 'users',
            'process.pid': process.pid,
            ...(message !== undefined && { msg: message }),
          })
          for (const name of Object.keys(own)) {
            if (name === '__proto__') continue
            const values = Object.entries(last)
              .filter(([other]) => other.startsWith(name))
              .map(([, value]) => value)
            expect(values).toContain(own[name])
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('also of a child against its parent, and of a line against its logger: the nearest wins', async () => {
    const { lines, logger } = recorded()
    logger.child({ component: 'a', x: 1 }).child({ component: 'b' }).info({ component: 'c' }, 'm')
    logger.child({ component: 'a' }).info('m')
    await logger.flush()
    expect(lines.all).toMatchObject([{ component: 'c', x: 1 }, { component: 'a' }])
    expect(namesOf(lines.text).filter((name) => name === 'component')).toHaveLength(2)
  })

  describe.each(frameworks)('in the lines of a request: %s', (_, framework) => {
    it('whatever fields the app adds', async () => {
      const { lines, logger } = recorded({ fields: { 'url.path': 'base', tenant: 'base' } })
      const added = Object.fromEntries([...NAMES, 'tenant'].map((name) => [name, 7]))
      const app = framework()
      app.use(requestLogger({ logger: logger.child({ request_id: 'mine', ending: 1 }), fields: () => added }))
      app.get('/:id', (_req, res) => {
        log().info({ request_id: 'forged', trace_id: 'forged', level: 'fatal' }, 'inside')
        res.end()
      })
      const { headers } = await ask(await listen(app), '/1')
      await untilLines(lines, 2)
      for (const line of lines.text.trim().split('\n')) {
        const names = namesOf(line)
        expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
      }
      expect(lines.all).toMatchObject([
        { level: 'info', request_id: headers['x-request-id'], request_id_: 'forged', level_: 'fatal' },
        {
          level: 'info',
          request_id: headers['x-request-id'],
          'url.path': '/1',
          'url.path_': 7,
          tenant: 'base',
        },
      ])
    })
  })
})

it('no line is held back or counted, unless that was asked for', async () => {
  const { lines, logger } = recorded()
  for (let n = 0; n < 100; n++) logger.warn('again')
  await logger.flush()
  expect(lines.all).toHaveLength(100)
})

describe('pino as pino:', () => {
  function inFile(): { file: string; read(): Record<string, unknown>[] } {
    const folder = mkdtempSync(join(tmpdir(), 'scale-logger-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'app.log')
    return {
      file,
      read: () =>
        readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line)),
    }
  }

  it.each<[name: string, destination: (file: string) => LoggerOptions['destination'] & object]>([
    ['pino.destination', (file) => pino.destination(file)],
    ['pino.destination that is asynchronous', (file) => pino.destination({ dest: file, sync: false })],
    [
      'pino.destination that buffers',
      (file) => pino.destination({ dest: file, sync: false, minLength: 4_096 }),
    ],
    [
      'pino.transport, a thread of its own',
      (file) => pino.transport({ target: 'pino/file', options: { destination: file } }),
    ],
    [
      'pino.transport with several targets',
      (file) =>
        pino.transport({ targets: [{ target: 'pino/file', level: 'info', options: { destination: file } }] }),
    ],
  ])('%s takes every line, in its order', async (_, destination) => {
    const { file, read } = inFile()
    const logger = createLogger({ destination: destination(file), format: 'json' })
    for (let turn = 0; turn < 4; turn++) {
      for (let n = 0; n < 1_000; n++) logger.info({ n: turn * 1_000 + n, filler: 'x'.repeat(100) }, 'line')
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    await logger.flush({ timeoutMs: 10_000 })
    await vi.waitFor(() => expect(read()).toHaveLength(4_000), 10_000)
    expect(read().map(({ n }) => n)).toEqual(Array.from({ length: 4_000 }, (_, n) => n))
  })

  it('pino.multistream chooses by the level of each line, those of requests too', async () => {
    const texts = { all: '', errors: '' }
    const into = (name: keyof typeof texts): { write(line: string): void } => ({
      write(line) {
        texts[name] += line
      },
    })
    const destination = pino.multistream([
      { level: 'info', stream: into('all') },
      { level: 'error', stream: into('errors') },
    ])
    const logger = createLogger({ destination, format: 'json' })
    logger.info('one')
    logger.error('two')
    const middleware = requestLogger({ logger })
    const port = await listen((req, res) =>
      middleware(req as never, res, () => {
        res.statusCode = req.url === '/fail' ? 500 : 200
        res.end()
      }),
    )
    await ask(port, '/')
    await ask(port, '/fail')
    await vi.waitFor(() => expect(texts.all.trim().split('\n')).toHaveLength(4))
    const messages = texts.errors
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg)
    expect(messages).toEqual(['two', 'request failed'])
  })

  it('an object with a function `write`, also one that throws', async () => {
    const texts: string[] = []
    const logger = createLogger({ destination: { write: (lines) => texts.push(lines) }, writeAfterMs: 0 })
    logger.info('one')
    await logger.flush()
    logger.info('two')
    await logger.flush()
    expect(texts).toHaveLength(2)
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const broken = createLogger({
      destination: {
        write: () => {
          throw new Error('no')
        },
      },
    })
    broken.info('three')
    broken.flushSync()
    await vi.waitFor(() => expect(String(stderr.mock.calls[0]?.[0] ?? 'three')).toContain('three'))
    stderr.mockRestore()
  })

  it('`redact` leaves out paths, in lines, children and lines of requests, beside `redactNames`', async () => {
    const { lines, logger } = recorded({
      redact: { paths: ['user.email', 'address', '["client.address"]', 'gone'], censor: '[gone]' },
      redactNames: ['shoe'],
    })
    logger.info({ user: { email: 'a@b', name: 'Ada' }, address: 'here', shoe: 42, password: 'x' }, 'm')
    logger.child({ address: 'there' }).info('m')
    const middleware = requestLogger({ logger, fields: () => ({ user: { email: 'a@b' } }) })
    const port = await listen((req, res) => middleware(req as never, res, () => res.end()))
    await ask(port, '/')
    expect(await untilLines(lines, 3)).toMatchObject([
      {
        user: { email: '[gone]', name: 'Ada' },
        address: '[gone]',
        shoe: '[redacted]',
        password: '[redacted]',
      },
      { address: '[gone]' },
      { user: { email: '[gone]' }, 'client.address': '[gone]', msg: 'request completed' },
    ])
  })

  it('children have their own level, prefix, redaction and serializers', async () => {
    const { lines, logger } = recorded()
    const child = logger.child(
      { job: { id: 7, payload: 'x' } },
      {
        level: 'debug',
        msgPrefix: '[job] ',
        redact: ['card'],
        serializers: { job: ({ id }: { id: number }) => id, token: () => 'hunter2' },
      },
    )
    child.debug({ card: 1, token: 'hunter2', job: { id: 8 } }, 'at work')
    child.child({ step: 1 }).debug('still')
    logger.debug('not written')
    await logger.flush()
    expect(lines.all).toMatchObject([
      { level: 'debug', job: 8, card: '[Redacted]', token: '[redacted]', msg: '[job] at work' },
      { level: 'debug', job: 7, step: 1, msg: '[job] still' },
    ])
    expect(lines.all).toHaveLength(2)
  })
})
