import { Writable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { createLogger, droppedChannel, type LoggerOptions, LogStalled, log } from '../src/index.js'
import { Folding } from '../src/lines/folding.js'
import { epochTime, isoTime } from '../src/lines/time.js'
import { Lines } from './support/lines.js'
import { recorded } from './support/server.js'

describe('a line', () => {
  it('has level, time, service, process, fields and message', async () => {
    const { lines, logger } = recorded({ service: 'orders', version: '1.2.3', fields: { zone: 'a' } })
    logger.info({ count: 1 }, 'counted %d', 2)
    await logger.flush()
    expect(lines.all).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/Z$/),
        'service.name': 'orders',
        'service.version': '1.2.3',
        'process.pid': process.pid,
        zone: 'a',
        count: 1,
        msg: 'counted 2',
      },
    ])
  })

  it.each([0, 1, 12, 123, 999, 1_000, 1_795_187_953_445, 1_795_187_953_999, 1_795_187_954_000])(
    'at %i ms',
    (ms) => {
      expect(isoTime(ms)).toBe(`,"time":"${new Date(ms).toISOString()}"`)
      expect(epochTime(ms)).toBe(`,"time":${ms}`)
    },
  )

  it('is written from the level on that is set, at run time too', async () => {
    const { lines, logger } = recorded()
    logger.debug('no')
    logger.level = 'debug'
    logger.debug('yes')
    logger.level = 'silent'
    logger.fatal('no')
    await logger.flush()
    expect(lines.all.map(({ level, msg }) => [level, msg])).toEqual([['debug', 'yes']])
  })

  it('survives what cannot be written', async () => {
    const { lines, logger } = recorded()
    const circle: Record<string, unknown> = {
      big: 1n,
      when: new Date(0),
      map: new Map([[1, 2]]),
      bytes: Buffer.from('secret'),
    }
    circle.self = circle
    Object.defineProperty(circle, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })
    logger.info(circle, 'odd')
    logger.error(
      Object.assign(Object.create(null), {
        err: {
          get message() {
            throw new Error('x')
          },
        },
      }),
    )
    logger.info(
      {
        toJSON() {
          throw new Error('no')
        },
      },
      'odd too',
    )
    await logger.flush()
    expect(lines.all[0]).toMatchObject({
      big: '1',
      when: '1970-01-01T00:00:00.000Z',
      map: '[1 entries]',
      bytes: '[6 bytes]',
      trap: '[unreadable]',
    })
    expect(lines.all).toHaveLength(3)
  })

  it('of an error has the message, the frames and the causes, and nothing that a library attached', async () => {
    const { lines, logger } = recorded()
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', config: { auth: 'hunter2' } })
    logger.error(new TypeError('outer', { cause }))
    await logger.flush()
    expect(lines.all).toMatchObject([
      {
        msg: 'outer',
        err: { type: 'TypeError', message: 'outer', cause: { code: 'ECONNREFUSED', message: 'refused' } },
      },
    ])
    expect(lines.text).not.toContain('hunter2')
  })
})

describe('lines that repeat', () => {
  it('are written a few times, then counted, if that was asked for; those of each request for themselves', async () => {
    const { lines, logger } = recorded({ foldAfter: 3 })
    const requests = [1, 2].map((id) => logger.child({ request_id: id }))
    for (let n = 0; n < 5; n++) for (const request of requests) request.warn({ node: 'a' }, 'again')
    logger.warn({ node: 'b' }, 'again')
    await logger.flush()
    const told = lines.all.map(({ node, suppressed, request_id }) => [request_id, node, suppressed])
    expect(told).toEqual([
      ...[1, 2, 1, 2, 1, 2].map((id) => [id, 'a', undefined]),
      [undefined, 'b', undefined],
      [1, 'a', 2],
      [2, 'a', 2],
    ])
  })

  it('are told when the window ends, by the clock', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const written: string[] = []
      const folding = new Folding(1, 1_000, (line) => written.push(line))
      for (const n of [1, 2, 3]) folding.pass(`{"n":${n}}\n`, 'key')
      vi.advanceTimersByTime(999)
      expect(written).toEqual(['{"n":1}\n'])
      vi.advanceTimersByTime(2)
      expect(written).toEqual(['{"n":1}\n', '{"n":3,"suppressed":2}\n'])
      folding.pass('{"n":4}\n', 'key')
      expect(written).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  it('of more kinds than are remembered are all told', () => {
    const written: string[] = []
    const folding = new Folding(1, 60_000, (line) => written.push(line))
    for (let n = 0; n < 1_000; n++)
      for (let times = 0; times < 3; times++) folding.pass(`{"n":${n}}\n`, String(n))
    folding.flush()
    expect(written.filter((line) => line.includes('"suppressed":2'))).toHaveLength(1_000)
  })
})

describe('a destination that stalls', () => {
  it('costs the lines that do not fit, which are counted and told', async () => {
    const { lines, logger } = recorded({ maxBufferBytes: 4_096 })
    const messages: number[] = []
    const stop = droppedChannel.subscribe(({ lines }) => messages.push(lines))
    lines.isStalled = true
    for (let n = 0; n < 1_000; n++) logger.info({ n }, 'line')
    await expect(logger.flush({ timeoutMs: 20 })).rejects.toThrow(LogStalled)
    for (let n = 1_000; n < 2_000; n++) logger.info({ n }, 'line')
    lines.resumeTaking()
    await vi.waitFor(() => expect(lines.all.length).toBeGreaterThan(20))
    logger.info('after')
    await logger.flush()
    stop()
    const all = lines.all
    const dropped = all.reduce((sum, line) => sum + Number(line.dropped ?? 0), 0)
    const written = all.filter(({ msg }) => msg === 'line')
    expect(written.length + dropped).toBe(2_000)
    expect(messages.length).toBe(dropped)
    expect(written.map(({ n }) => n)).toEqual(
      written.map(({ n }) => n).toSorted((a, b) => Number(a) - Number(b)),
    )
    expect(all.at(-1)).toMatchObject({ msg: 'after' })
  })

  it('is waited for by flush, for every line so far', async () => {
    const { lines, logger } = recorded()
    lines.isStalled = true
    logger.info('one')
    await new Promise((resolve) => setTimeout(resolve, 5))
    logger.info('two')
    const flushed = logger.flush()
    setTimeout(() => lines.resumeTaking(), 5)
    await flushed
    expect(lines.all.map(({ msg }) => msg)).toEqual(['one', 'two'])
  })

  it('that is gone is replaced by stderr', async () => {
    const written: string[] = []
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(((
      chunk: string,
      done: () => void,
    ) => {
      written.push(chunk)
      done()
      return true
    }) as never)
    try {
      const gone = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
      const logger = createLogger({ destination: gone, writeAfterMs: 0 })
      logger.info('one')
      await logger.flush()
      logger.info('two')
      await logger.flush()
      expect(written.join('').match(/"msg":"\w+"/g)).toEqual(['"msg":"one"', '"msg":"two"'])
    } finally {
      stderr.mockRestore()
    }
  })
})

describe('for people', () => {
  it('a line is readable, and nobody writes control characters into the terminal', async () => {
    const { lines, logger } = recorded({ format: 'human' })
    logger.warn({ who: 'a\u001b[2Jb\u202ec', n: 1 }, 'look\nhere \u001b[31m')
    logger.error(new Error('broken', { cause: new Error('inner') }))
    await logger.flush()
    const [first, second] = lines.text.split('\n')
    expect(first).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}look\\nhere \\u001b\[31m who=a\\u001b\[2Jb\\u202ec n=1$/,
    )
    expect(second).toMatch(/ERROR broken$/)
    expect(lines.text).toMatch(/\n {4}Error: broken\n {8}at /)
    expect(lines.text).toMatch(/\n {6}Error: inner\n {10}at /)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(lines.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })

  it('a terminal gets it by itself, in colour', async () => {
    const terminal = Object.assign(new Lines(), { isTTY: true })
    const logger = createLogger({ destination: terminal })
    logger.info('hello')
    await logger.flush()
    expect(terminal.text).toContain('\u001b[32mINFO \u001b[0m hello')
  })
})

it('log() outside requests is the logger that was made last', async () => {
  const { lines, logger } = recorded()
  log().info('from outside')
  await logger.flush()
  expect(lines.all).toMatchObject([{ msg: 'from outside' }])
})

it.each<[object, string]>([
  [
    { level: 'loud' },
    "createLogger: `level` must be one of 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent', not that string.",
  ],
  [
    { destination: 'file.log' },
    'createLogger: `destination` must be a stream, or an object with a function `write`, not that string.',
  ],
  [{ name: 'x' }, 'createLogger: unknown option `name`.'],
  [
    { maxBufferBytes: 1 },
    'createLogger: `maxBufferBytes` must be an integer from 4096 to 1073741824, not 1.',
  ],
])('refuses %j', (options, message) => {
  expect(() => createLogger(options as LoggerOptions)).toThrow(message)
})
