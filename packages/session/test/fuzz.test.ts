import { IncomingMessage, ServerResponse } from 'node:http'
import { connect, Socket } from 'node:net'
import express, { type Express } from 'express'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bearer, cookie, refusedChannel, requireSession, type SessionStore, session } from '../src/index.js'
import { memoryStore } from '../src/stores/memory.js'
import { digestOf, isToken } from '../src/stores/token.js'
import { errorHandler, listen } from './app.js'

interface Guarded {
  app: Express
  /** Ids that the store was asked for. */
  asked: string[]
  token: string
}

/** An app whose sessions come from a store that writes down what it is asked. */
async function guarded(): Promise<Guarded> {
  const inner = memoryStore()
  const asked: string[] = []
  const store: SessionStore = Object.assign(Object.create(inner), {
    load: (...[ref, use]: Parameters<SessionStore['load']>) => {
      asked.push(ref.tag + ref.id)
      return inner.load(ref, use)
    },
    create: inner.create,
    write: inner.write,
    end: inner.end,
  })
  const sessions = session({ store, transport: [bearer(), cookie()] })
  const { token } = await (await sessions.load({})).login('ann')
  const app = express()
  app.use(sessions, requireSession(), (_req, res) => {
    res.json({})
  })
  app.use(errorHandler)
  asked.length = 0
  return { app, asked, token }
}

/** Sends headers as they are, past the parser that would refuse the worst of them. */
function answer(app: Express, headers: Record<string, string>): Promise<number> {
  const req = new IncomingMessage(new Socket())
  Object.assign(req, { method: 'GET', url: '/', headers })
  const res = new ServerResponse(req)
  return new Promise((resolve) => {
    res.end = ((): ServerResponse => {
      resolve(res.statusCode)
      return res
    }) as typeof res.end
    app(req, res)
  })
}

const signs = ['\0', '\r', '\n', ';', '=', ',', ' ', '\t', '"', '%', 'é', '💥', 'A']
const megabyte = (unit: string): string => unit.repeat(Math.ceil(1_048_576 / unit.length))

const junk = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  { weight: 20, arbitrary: fc.string({ unit: fc.constantFrom(...signs), maxLength: 100 }) },
  { weight: 1, arbitrary: fc.constantFrom('a', '\0', 'é', ';', '=', '; ').map(megabyte) },
)

/** One character too many, too few, or of another kind. */
const nearMiss = (token: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.nat(78).map((at) => token.slice(0, at) + token.slice(at + 1)),
    fc
      .tuple(fc.nat(78), fc.constantFrom('A', '_'))
      .map(([at, more]) => token.slice(0, at) + more + token.slice(at)),
    fc
      .tuple(fc.nat(78), fc.constantFrom('+', '/', '=', '.', '%', '\0', 'é', ' x', ',', '"'))
      .map(([at, other]) => token.slice(0, at) + other + token.slice(at + 1)),
    fc.constantFrom(
      `"${token}"`,
      `s:${token}.sig`,
      encodeURIComponent(`s:${token}`),
      `${token}${token}`,
      `x ${token}`,
    ),
  )

const headersOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Record<string, string>> =>
  fc.oneof(
    text.map((value) => ({ cookie: `__Host-session=${value}` })),
    text.map((value) => ({
      cookie: `connect.sid=s%3A${value}; theme=dark; __Host-session=${value}; __Host-session=`,
    })),
    text.map((value) => ({ authorization: `Bearer ${value}` })),
    text.map((value) => ({ authorization: value, cookie: value })),
    fc.tuple(text, text).map(([a, b]) => ({ authorization: `bearer ${a}`, cookie: `__Host-session=${b}` })),
  )

it('never fails on 10,000 hostile headers, and asks the store for none of them', {
  timeout: 60_000,
}, async () => {
  const { app, asked, token } = await guarded()
  let count = 0
  await fc.assert(
    fc.asyncProperty(headersOf(fc.oneof(junk, nearMiss(token))), async (headers) => {
      // A cookie in the middle of a text may still be one: such a text is not malformed.
      fc.pre(!Object.values(headers).some((value) => /(?<![\w-])[\w-]{79}(?![\w-])/.test(value)))
      count++
      const status = await answer(app, headers)
      expect(status).toBe(401)
      expect(asked).toEqual([])
    }),
    { numRuns: 10_000 },
  )
  expect(count).toBe(10_000)
  expect(await answer(app, { cookie: `__Host-session=${token}` })).toBe(200)
})

it('refuses every token that differs from a good one in one character', async () => {
  const { app, asked, token } = await guarded()
  const reasons = new Map<string, number>()
  const stop = refusedChannel.subscribe(({ reason }) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1))
  for (let at = 0; at < token.length; at++) {
    const other = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    expect(await answer(app, { authorization: `Bearer ${other}` })).toBe(401)
  }
  stop()
  // Tag and id are known to be made up; the secret leads to a session, and does not open it.
  expect(Object.fromEntries(reasons)).toEqual({ forged: 36, secret: 43 })
  expect(asked).toHaveLength(43)
})

it('survives the same on the wire', async () => {
  const { app, token } = await guarded()
  const running = await listen(app)
  const { port } = new URL(running.url)
  const statuses: string[] = []
  const values = fc.sample(headersOf(fc.oneof(junk, nearMiss(token))), { numRuns: 300, seed: 7 })
  for (const headers of values) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.slice(0, 100_000)}\r\n`)
    statuses.push(
      await firstLine(
        Number(port),
        `GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}Connection: close\r\n\r\n`,
      ),
    )
  }
  await running.close()
  expect(statuses.filter((line) => !/^HTTP\/1\.1 4\d\d /.test(line) && line !== '')).toEqual([])
  expect(statuses.filter((line) => line.includes('401')).length).toBeGreaterThan(100)
})

/** The status line of the answer; empty if the server hung up on the request. */
function firstLine(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'utf8')))
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer.split('\r\n')[0]!))
  })
}

it('says what a token looks like', () => {
  expect(isToken('A'.repeat(79))).toBe(true)
  expect(isToken(`${'A'.repeat(78)}\n`)).toBe(false)
  expect(isToken(`${'A'.repeat(79)}\n`)).toBe(false)
  expect(digestOf('A'.repeat(79))).toMatch(/^[\w-]{43}$/)
})
