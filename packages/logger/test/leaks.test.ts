import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { channel } from '@scale/core'
import { errorHandler, notFound } from '@scale/errors'
import express from 'express'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { jwtVerify, SignJWT } from 'jose'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { type AppLogger, errorFields, log, logChannels, requestLogger } from '../src/index.js'
import { redactQuery, scrubPath, scrubText } from '../src/redaction/redact.js'
import { safeFields } from '../src/redaction/safe-fields.js'
import type { Lines } from './support/lines.js'
import { secrets } from './support/secrets.js'
import { ask, listen, recorded, untilLines } from './support/server.js'

// Whatever a request carries, and whatever libraries make of it, the output is searched for it.

/** A secret may be found as it is, or in one of the ways in which it is written on its way. */
function expectNone(lines: Lines): void {
  expect(lines.text).not.toBe('')
  for (const { kind, core } of secrets) {
    for (const form of [core, encodeURIComponent(core), JSON.stringify(core).slice(1, -1)]) {
      expect(lines.text.includes(form), `${kind}: ${form}\n${lineWith(lines, form)}`).toBe(false)
    }
  }
}

function lineWith(lines: Lines, text: string): string {
  return lines.text.split('\n').find((line) => line.includes(text)) ?? ''
}

it('there are sixty shapes', () => {
  expect(secrets.length).toBeGreaterThanOrEqual(60)
  expect(new Set(secrets.map(({ core }) => core)).size).toBe(secrets.length)
})

describe('a request that carries a secret', () => {
  async function serve(): Promise<{ port: number; lines: Lines }> {
    const { lines, logger } = recorded({ level: 'trace' })
    const stop = logChannels(logger)
    onTestFinished(stop)
    const app = express()
    app.use(
      requestLogger({
        logger,
        query: 'redact',
        headers: ['accept', 'content-type', 'host', 'origin', 'referer', 'user-agent'],
      }),
    )
    app.use(express.json(), express.urlencoded({ extended: false }), express.text())
    app.all('/things/:id', (_req, res) => {
      res.json({})
    })
    app.all('/fail/{*rest}', () => {
      throw new Error('no')
    })
    // What a careless handler does with what it was sent.
    app.all('/careless', (req, _res) => {
      log().info({ headers: req.headers, query: req.query, body: req.body, req }, 'received')
      log().warn(`query: ${JSON.stringify(req.query)}, cookie: ${req.headers.cookie}`)
      throw Object.assign(
        new Error(`cannot use ${JSON.stringify(req.query)}`, {
          cause: new Error(String(req.headers['x-anything'])),
        }),
        {
          config: { headers: req.headers },
          request: req,
          body: req.body,
          response: { data: req.body },
        },
      )
    })
    app.use(notFound(), errorHandler())
    return { port: await listen(app), lines }
  }
  /** What an HTTP client lets pass as a header. */
  const inHeader = (text: string): string => text.replace(/[^\x20-\x7e]/g, ' ')

  const places: [name: string, send: (port: number, sent: string) => Promise<unknown>][] = [
    ['authorization', (port, sent) => ask(port, '/things/1', { authorization: inHeader(sent) })],
    [
      'proxy-authorization',
      (port, sent) => ask(port, '/things/1', { 'proxy-authorization': inHeader(sent) }),
    ],
    ['cookie', (port, sent) => ask(port, '/things/1', { cookie: `sid=${inHeader(sent)}` })],
    ['x-api-key', (port, sent) => ask(port, '/things/1', { 'x-api-key': inHeader(sent) })],
    ['a header of its own', (port, sent) => ask(port, '/things/1', { 'x-custom': inHeader(sent) })],
    ['x-request-id', (port, sent) => ask(port, '/things/1', { 'x-request-id': inHeader(sent) })],
    ['traceparent', (port, sent) => ask(port, '/things/1', { traceparent: inHeader(sent) })],
    ['tracestate', (port, sent) => ask(port, '/things/1', { tracestate: `k=${inHeader(sent)}` })],
    ['x-forwarded-for', (port, sent) => ask(port, '/things/1', { 'x-forwarded-for': inHeader(sent) })],
    ['user-agent', (port, sent) => ask(port, '/things/1', { 'user-agent': inHeader(sent) })],
    [
      'referer',
      (port, sent) => ask(port, '/things/1', { referer: `https://x.org/?t=${encodeURIComponent(sent)}` }),
    ],
    ['referer as it is', (port, sent) => ask(port, '/things/1', { referer: inHeader(sent) })],
    ['origin', (port, sent) => ask(port, '/things/1', { origin: inHeader(sent) })],
    ['host', (port, sent) => ask(port, '/things/1', { host: inHeader(sent) })],
    ['accept', (port, sent) => ask(port, '/things/1', { accept: inHeader(sent) })],
    [
      'content-type',
      (port, sent) =>
        ask(port, '/things/1', { 'content-type': inHeader(sent) }, { method: 'POST', body: 'x' }),
    ],
    ['a query value', (port, sent) => ask(port, `/things/1?q=${encodeURIComponent(sent)}`)],
    [
      'a query value of a telling name',
      (port, sent) => ask(port, `/things/1?access_token=${encodeURIComponent(sent)}`),
    ],
    ['a query name', (port, sent) => ask(port, `/things/1?${encodeURIComponent(sent)}=1`)],
    ['a path parameter', (port, sent) => ask(port, `/things/${encodeURIComponent(sent)}`)],
    ['a path of no route', (port, sent) => ask(port, `/no/${encodeURIComponent(sent)}/such`)],
    ['a path that fails', (port, sent) => ask(port, `/fail/${encodeURIComponent(sent)}`)],
    ['the user of a whole URL', (port, sent) => ask(port, `http://u:${encodeURIComponent(sent)}@h/things/1`)],
    [
      'a JSON body',
      (port, sent) => post(port, '/things/1', 'application/json', JSON.stringify({ a: [sent] })),
    ],
    ['a JSON body that is broken', (port, sent) => post(port, '/things/1', 'application/json', `${sent}`)],
    [
      'a form',
      (port, sent) =>
        post(port, '/things/1', 'application/x-www-form-urlencoded', `a=${encodeURIComponent(sent)}`),
    ],
    ['text', (port, sent) => post(port, '/things/1', 'text/plain', sent)],
    [
      'a careless handler: header',
      (port, sent) =>
        ask(port, '/careless', {
          'x-anything': inHeader(sent),
          cookie: `a=${inHeader(sent)}`,
          authorization: inHeader(sent),
        }),
    ],
    ['a careless handler: query', (port, sent) => ask(port, `/careless?q=${encodeURIComponent(sent)}`)],
    [
      'a careless handler: telling names',
      (port, sent) =>
        post(port, '/careless', 'application/json', JSON.stringify({ password: sent, token: { a: sent } })),
    ],
  ]

  function post(port: number, path: string, type: string, body: string): Promise<unknown> {
    return ask(port, path, { 'content-type': type }, { method: 'POST', body })
  }

  it.each(places)('in %s', async (_, send) => {
    const { port, lines } = await serve()
    for (const { sent } of secrets) await send(port, sent).catch(() => undefined)
    await untilLines(lines, secrets.length)
    expectNone(lines)
  })
})

describe('errors of libraries that were given a secret', () => {
  /** Everything that can be done with an error. */
  function record(logger: AppLogger, error: object): void {
    logger.error(error)
    logger.error({ err: error }, 'failed')
    logger.warn({ nested: { deep: [error] } }, 'failed')
    logger.error(new Error('outer', { cause: error }))
    logger.error(new AggregateError([error, error], 'several'))
    logger.child({ last: error }).info('child')
    logger.info('format %s %o %j', error, error, error)
    channel('scale:cache:store-error').publish({ cache: 'c', operation: 'read', error })
  }

  async function recordedErrors(failing: (sent: string, core: string) => unknown): Promise<Lines> {
    const { lines, logger } = recorded({ level: 'trace' })
    onTestFinished(logChannels(logger, { maxLines: 1_000 }))
    let failures = 0
    for (const { sent, core } of secrets) {
      try {
        await failing(sent, core)
      } catch (error) {
        failures++
        record(logger, error as object)
      }
    }
    expect(failures).toBeGreaterThan(secrets.length / 2)
    await logger.flush()
    return lines
  }

  it('ioredis', async () => {
    // A server that refuses every command and quotes it, as Redis does.
    const server = createServer((socket) => {
      socket.on('data', (data) => {
        const args = data
          .toString()
          .split('\r\n')
          .filter((text) => text !== '' && !/^[*$]/.test(text))
        socket.write(
          `-ERR unknown command '${args[0]}', with args beginning with: '${args
            .slice(1)
            .join("' '")
            .replace(/[\r\n]/g, ' ')}'\r\n`,
        )
      })
      socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const redis = new Redis((server.address() as AddressInfo).port, '127.0.0.1', {
      enableReadyCheck: false,
      protocol: 2,
      disableClientInfo: true,
    } as object)
    redis.on('error', () => {})
    onTestFinished(() => {
      redis.disconnect()
      server.close()
    })
    expectNone(await recordedErrors((sent) => redis.call('AUTHX', 'user', sent.replace(/\s/g, ' '))))
  })

  it('pg', async () => {
    expectNone(
      await recordedErrors(async (sent) => {
        // As the server sends them: what was given is in `detail`, `where` and sometimes in the message.
        const error = new pg.DatabaseError(`invalid input syntax for type integer: "${sent}"`, 1, 'error')
        Object.assign(error, {
          code: '22P02',
          detail: `Key (email)=(${sent}) already exists.`,
          where: `unnamed portal parameter $1 = '${sent}'`,
          internalQuery: `SELECT '${sent}'`,
          parameters: [sent],
        })
        throw error
      }),
    )
    expectNone(
      await recordedErrors(async (sent) => {
        const client = new pg.Client({
          connectionString: `postgres://app:${encodeURIComponent(sent)}@127.0.0.1:1/db`,
        })
        try {
          await client.connect()
        } catch (error) {
          throw Object.assign(error as Error, { client, connectionString: sent })
        }
      }),
    )
  })

  it('jose', async () => {
    const key = new TextEncoder().encode('x'.repeat(32))
    expectNone(await recordedErrors((sent) => jwtVerify(sent, key)))
    expectNone(
      await recordedErrors(async (sent) => {
        // Its errors carry the claims.
        const token = await new SignJWT({ secret: sent, aud: sent })
          .setProtectedHeader({ alg: 'HS256' })
          .setExpirationTime(1)
          .sign(key)
        await jwtVerify(token, key, { audience: 'api' })
      }),
    )
  })

  it('zod', async () => {
    const schema = z.strictObject({ name: z.number(), role: z.enum(['a', 'b']), url: z.url() })
    expectNone(
      await recordedErrors((sent) =>
        schema.parse({ name: sent, role: sent, url: sent, [sent]: sent }, { reportInput: true }),
      ),
    )
  })

  it('body-parser', async () => {
    const parsers = [
      express.json({ strict: true }),
      express.json({ limit: 5 }),
      express.urlencoded({ parameterLimit: 1 }),
    ]
    for (const parse of parsers) {
      let failure: unknown
      const app = express()
      app.use(parse, (_req, res) => {
        res.end()
      })
      app.use(((error, _req, res, _next) => {
        failure = error
        res.end()
      }) as express.ErrorRequestHandler)
      const port = await listen(app)
      const type = parse.name.startsWith('json') ? 'application/json' : 'application/x-www-form-urlencoded'
      expectNone(
        await recordedErrors(async (sent) => {
          await ask(
            port,
            '/',
            { 'content-type': type },
            { method: 'POST', body: `${sent}&a=${sent}&b=${sent}` },
          )
          if (failure !== undefined) throw failure
        }),
      )
    }
  })

  it('JSON.parse, URL, Buffer and fetch', async () => {
    expectNone(await recordedErrors((_, core) => JSON.parse(`{"password": ${core}`)))
    expectNone(await recordedErrors((_, core) => JSON.parse(core)))
    expectNone(await recordedErrors((sent) => new URL(`http://[${sent}`)))
    expectNone(await recordedErrors((sent) => Buffer.alloc(sent as unknown as number)))
    expectNone(await recordedErrors((sent) => fetch(`http://u:${encodeURIComponent(sent)}@127.0.0.1:1/`)))
  })
})

it('what the packages tell on their channels holds no session, user or key', async () => {
  const { lines, logger } = recorded({ level: 'trace' })
  onTestFinished(logChannels(logger, { maxLines: 1_000 }))
  const session = { id: 'session-id-1', userId: 'user-1' }
  channel('scale:session:conflict').publish({ ...session, outcome: 'failed', keys: ['cart'] })
  channel('scale:session:revoked').publish({ userId: 'user-1', by: 'all', count: 3 })
  channel('scale:session:refused').publish({ id: 'session-id-1', reason: 'secret' })
  channel('scale:session:unreadable').publish({ ...session, reason: 'json', keys: [] })
  channel('scale:redis:connection-error').publish({ error: new Error('redis://:hunter2@h refused') })
  await logger.flush()
  expect(lines.all).toHaveLength(5)
  for (const secret of ['session-id-1', 'user-1', 'hunter2']) expect(lines.text).not.toContain(secret)
})

it('ids, names and words stay readable', () => {
  const { lines, logger } = recorded()
  const fields = {
    order: '7f8a1d9e-3c52-4a84-9d56-6b0c2b4e7a11',
    ulid: '01HZX3Y5QW8R2T4V6B7N9M0K1J',
    mongo: '507f1f77bcf86cd799439011',
    tokens: 512,
    hasPassword: true,
    url: 'https://example.org/a/b?page=2',
    text: 'The basic idea: cache what is read often, and why not.',
  }
  logger.info(fields, 'a message about 12 tokens of 3 kinds')
  logger.error(
    new Error(`User ${fields.order} not found in users-service-eu-west-1 by findOneOrThrowNotFoundException`),
  )
  logger.flushSync()
  expect(lines.all[0]).toMatchObject({ ...fields, msg: 'a message about 12 tokens of 3 kinds' })
  expect(lines.text).not.toContain('[redacted]')
})

describe('random words that are no secret stay readable, in messages, paths and queries', () => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
  const of = (alphabet: string, length: number) =>
    fc.string({ unit: fc.constantFrom(...alphabet), minLength: length, maxLength: length })
  const lower = 'abcdefghijklmnopqrstuvwxyz'
  const base62 = `0123456789${lower}${lower.toUpperCase()}`
  const pod = 'bcdfghjklmnpqrstvwxz2456789'
  const kinds: [name: string, words: fc.Arbitrary<string>][] = [
    ['a commit', hex(40)],
    ['a digest of SHA-256, an image', hex(64)],
    ['a trace id', hex(32)],
    ['a nanoid', of(`${base62}_-`, 21)],
    ['a KSUID', of(base62, 27)],
    ['a ULID', of('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 26)],
    ['a UUID', fc.uuid()],
    ['a pod', fc.tuple(of(pod, 10), of(pod, 5)).map(([set, own]) => `users-profile-api-${set}-${own}`)],
    [
      'an id of Stripe',
      fc
        .tuple(
          fc.constantFrom('cus', 'pi', 'ch', 'in', 'sub', 'price', 'prod', 'evt', 'seti', 're', 'acct'),
          of(base62, 24),
        )
        .map(([kind, id]) => `${kind}_${id}`),
    ],
    ['a checkout of Stripe', of(base62, 58).map((id) => `cs_live_${id}`)],
    ['a host of AWS', hex(16).map((id) => `ip-10-0-${id}.eu-west-1.compute.internal`)],
    ['a long name', fc.constant('findOneOrThrowNotFoundExceptionUnlessCachedByRepositoryFactory')],
    ['a file of a package', fc.constant('node_modules/.pnpm/@scope+package-name@12.3.4_typescript@5.9.2')],
  ]

  it.each(kinds)('%s', (_, words) => {
    fc.assert(
      fc.property(words, (word) => {
        // Ids that begin like a key of somebody are taken for one.
        fc.pre(scrubText(word) === word)
        const message = `Order ${word} was not found, signature unknown (${word})`
        expect(errorFields(new Error(message)).message).toBe(message)
        expect(scrubPath(`/v1/orders/${word}/items`)).toBe(`/v1/orders/${word}/items`)
        expect(redactQuery(`after=${word}&q=1`)).toBe(`after=${word}&q=1`)
        expect(safeFields()({ commit: word, url: `/a/${word}` })).toEqual({ commit: word, url: `/a/${word}` })
      }),
    )
  })

  it.each([
    ['a key of AWS', of(base62, 40)],
    ['a session of ours', of(`${base62}_-`, 79)],
    ['32 bytes', of(`${base62}_-`, 43)],
  ])('%s does not', (_, words) => {
    fc.assert(
      fc.property(words, (word) => {
        fc.pre(/\d/.test(word) && /[a-z]/.test(word) && /[A-Z]/.test(word) && /^\w.*\w$/.test(word))
        expect(errorFields(new Error(`cannot use ${word} here`)).message).not.toContain(word)
        expect(scrubPath(`/v1/${word}`)).not.toContain(word)
        expect(redactQuery(`q=${word}`)).not.toContain(word)
      }),
    )
  })
})
