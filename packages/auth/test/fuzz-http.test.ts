import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accessToken, dpop } from '../src/index.js'
import { errorHandler } from './app.js'
import { goodClaims, key, mint, options, part } from './tokens.js'

// Through Node's HTTP parser, which is told to let headers of 2 MB pass.

const MEGABYTE = 1_048_576
let server: Server

beforeAll(async () => {
  const proofs = dpop({ mode: 'accepted' })
  const tokens = accessToken(options({ maxTokenBytes: MEGABYTE, dpop: proofs }))
  const app = express().get('/orders', tokens, (_req, res) => void res.sendStatus(204))
  server = createServer({ maxHeaderSize: 2 * MEGABYTE }, app.use(errorHandler))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => new Promise<unknown>((resolve) => server.close(resolve)))

/** Sends headers as they are, byte by byte. @returns the head of the answer; empty if there was none */
function send(headers: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (text) => (answer += text))
    socket.on('close', () => resolve(answer))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // The parser has had enough, and closed the connection while it was being written to.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.write(
      Buffer.from(`GET /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n`, 'latin1'),
    )
  })
}

/** 401 or 400 with a challenge, or 400 by the parser, for what is no HTTP. */
function isRefusal(answer: string): boolean {
  const isOurs = /^HTTP\/1\.1 40[01] [\s\S]*\r\nWWW-Authenticate: Bearer/.test(answer)
  return isOurs || /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n\r\n$/.test(answer)
}

it('10,000 malformed headers: refused, never more, and never through', { timeout: 120_000 }, async () => {
  const good = await mint()
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }).map((some) => some.replace(/[\r\n]/g, '?')),
    fc
      .tuple(fc.nat(good.length), fc.nat(8), fc.stringMatching(/^[\x20-\x7e]{0,8}$/))
      .map(([at, gone, some]) => good.slice(0, at) + some + good.slice(at + gone)),
    fc
      .tuple(fc.jsonValue(), fc.jsonValue())
      .map(([head, claims]) => `${part(head as object)}.${part(claims as object)}.AA`),
  )
  const scheme = fc.constantFrom('Bearer ', 'bearer  ', 'DPoP ', 'dpop', 'Basic ', '', 'Bearer\t')
  const more = fc.oneof(
    fc.constant(''),
    text.map((some) => `\r\nDPoP: ${some}`),
  )
  const cases = fc.sample(fc.tuple(scheme, text, more), 10_000)
  const wrong: string[] = []
  let refused = 0
  await Promise.all(
    Array.from({ length: 50 }, async (_, lane) => {
      for (let i = lane; i < cases.length; i += 50) {
        const [prefix, some, rest] = cases[i]!
        if (some === good) continue
        const answer = await send(`Authorization: ${prefix}${some}${rest}`)
        if (isRefusal(answer)) refused++
        else wrong.push(`${prefix}${some}${rest} → ${answer.slice(0, 200)}`)
      }
    }),
  )
  expect(wrong).toEqual([])
  expect(refused).toBeGreaterThan(9_900)
  expect(await send(`Authorization: Bearer ${good}`)).toMatch(/^HTTP\/1\.1 204 /)
})

it('tokens of 1 MB: refused, in no more time than one of the same length that is well-formed', async () => {
  /** CPU of this process for one refusal, in ms: the best of several, since others share the machine. */
  const costOf = async (token: string): Promise<number> => {
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 5; i++) {
      const startedAt = process.cpuUsage()
      expect(await send(`Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 40[01] /)
      const { user, system } = process.cpuUsage(startedAt)
      best = Math.min(best, (user + system) / 1_000)
    }
    return best
  }
  const size = 700_000
  const head = part({ alg: key.alg, typ: 'at+jwt', kid: key.kid })
  const benign = await costOf(`${head}.${part({ ...goodClaims(), x: 'y'.repeat(size) })}.${'A'.repeat(86)}`)
  for (const token of [
    'a'.repeat(size),
    '.'.repeat(size),
    'a.'.repeat(size / 2),
    `x${'='.repeat(size)}!`,
    `${' '.repeat(size)}x`,
    `${part('['.repeat(size / 2))}.${part('{"a":'.repeat(20_000))}.AA`,
  ]) {
    expect(await costOf(token), token.slice(0, 20)).toBeLessThan(3 * benign + 20)
  }
})
