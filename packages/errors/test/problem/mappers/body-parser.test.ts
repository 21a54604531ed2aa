import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Express } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { errorHandler } from '../../../src/index.js'
import { expectProblem } from '../../support/rfc9457.js'
import { ask, failures, frameworks, listen } from '../../support/server.js'

const SECRET = 'hunter2'
const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe.each(frameworks)('body-parser under %s', (_, framework) => {
  function app(): Express {
    const made = framework()
    made.use(framework.json({ limit: 1_000 }))
    made.use(framework.urlencoded({ extended: true, parameterLimit: 5 }))
    made.post('/', (req, res) => {
      res.json(req.body)
    })
    made.use(errorHandler())
    return made
  }

  it.each<
    [name: string, headers: Record<string, string>, body: string | Buffer, status: number, code: string]
  >([
    ['malformed JSON', json, `{"password": ${SECRET}}`, 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['JSON that ends early', json, `{"password": "${SECRET}`, 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['JSON that is no object', json, `"${SECRET}"`, 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['too much', json, JSON.stringify({ a: SECRET.repeat(1_000) }), 413, 'ERR_SCALE_BODY_TOO_LARGE'],
    ['too many parameters', form, 'a=1&b=2&c=3&d=4&e=5&f=hunter2', 413, 'ERR_SCALE_BODY_TOO_LARGE'],
    ['too deep a form', form, `a${'[b]'.repeat(60)}=${SECRET}`, 400, 'ERR_SCALE_BODY_MALFORMED'],
    [
      'a charset',
      { 'content-type': `application/json; charset=${SECRET}` },
      '{}',
      415,
      'ERR_SCALE_BODY_CHARSET',
    ],
    ['an encoding', { ...json, 'content-encoding': SECRET }, '{}', 415, 'ERR_SCALE_BODY_ENCODING'],
    [
      'no gzip',
      { ...json, 'content-encoding': 'gzip' },
      `{"a":"${SECRET}"}`,
      400,
      'ERR_SCALE_BODY_MALFORMED',
    ],
    [
      'half a gzip',
      { ...json, 'content-encoding': 'gzip' },
      gzipSync(`{"a":"${SECRET}"}`).subarray(0, 20),
      400,
      'ERR_SCALE_BODY_MALFORMED',
    ],
    [
      'a bomb',
      { ...json, 'content-encoding': 'gzip' },
      gzipSync(Buffer.alloc(9e6, ' ')),
      413,
      'ERR_SCALE_BODY_TOO_LARGE',
    ],
  ])('answers %s', async (_name, headers, body, status, code) => {
    const messages = failures()
    const answered = await ask(await listen(app()), { method: 'POST', headers, body })
    expectProblem(answered)
    expect(answered.json).toMatchObject({ status, code })
    expect(answered.text.toLowerCase()).not.toContain(SECRET)
    expect(messages).toHaveLength(1)
    expect(messages[0]!.error).toBeInstanceOf(Error)
    expect(messages[0]!.error).not.toHaveProperty('body')
    expect(messages[0]!.error.stack).toMatch(/\n {4}at /)
  })

  it.each(['{"password": hunter2}', '{"a":"b"}hunter2', 'hunter2'])(
    'records of the malformed body %s nothing, message and stack included',
    async (body) => {
      const messages = failures()
      await ask(await listen(app()), { method: 'POST', headers: json, body })
      const { message, stack, name } = messages[0]!.error
      expect(name).toBe('SyntaxError')
      expect(JSON.stringify([message, stack, { ...messages[0]!.error }])).not.toContain(SECRET)
    },
  )

  it("takes the status of the app's own verification, and keeps its words to the record", async () => {
    const messages = failures()
    const made = framework()
    made.use(
      framework.json({
        verify: () => {
          throw Object.assign(new Error('bad signature'), { status: 401 })
        },
      }),
    )
    made.use(errorHandler())
    const answered = await ask(await listen(made), {
      method: 'POST',
      headers: json,
      body: `{"a":"${SECRET}"}`,
    })
    expect(answered.json).toMatchObject({ status: 401, code: 'ERR_SCALE_BODY_REFUSED' })
    expect(answered.text).not.toContain('signature')
    expect(messages[0]!.error.message).toBe('bad signature')
    expect(messages[0]!.error).not.toHaveProperty('body')
  })

  it('counts a client that leaves in the middle of its body as 499', async () => {
    const messages = failures()
    const port = await listen(app())
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
      )
      setImmediate(() => socket.resetAndDestroy())
    })
    await vi.waitFor(() => expect(messages).toHaveLength(1))
    expect(messages).toMatchObject([{ status: 499, code: 'ERR_SCALE_CLIENT_LEFT', outcome: 'client-left' }])
  })
})
