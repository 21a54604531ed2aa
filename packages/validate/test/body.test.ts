import { connect } from 'node:net'
import type { RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { validate } from '../src/index.js'
import { close, majors, portOf, serve, showError } from './support/apps.js'

const body = z.object({ a: z.string() })

describe.each(majors)('%s', (_name, express) => {
  /** Every method on `/`, with the options given, behind the parsers given. */
  function app(options: object = {}, ...parsers: RequestHandler[]) {
    const made = express()
    for (const parser of parsers) made.use(parser)
    made.all('/', validate({ body, ...options }), (req, res) => res.json({ got: req.valid.body ?? null }))
    made.use(showError)
    return serve(made)
  }

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/json+x',
    'application/vnd.api+jso',
    'xapplication/json',
    '',
  ])('answers 415 with Accept to type "%s"', async (type) => {
    const send = await app({}, express.json())
    const answer = await send('/', { method: 'POST', headers: { 'content-type': type }, body: 'a=bcde' })
    expect(answer.status).toBe(415)
    expect(answer.headers.accept).toBe('application/json')
    expect(answer.json.code).toBe('ERR_SCALE_VALIDATION_BODY_TYPE')
    expect(answer.text).not.toContain('bcde')
  })

  it('answers 415 to a type that is not asked for, though a parser has read it', async () => {
    const send = await app({ body: z.unknown() }, express.text())
    const answer = await send('/', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'bcde',
    })
    expect(answer).toMatchObject({ status: 415, json: { code: 'ERR_SCALE_VALIDATION_BODY_TYPE' } })
  })

  it('answers 415 to a body without a type', async () => {
    const send = await app({}, express.json())
    expect((await send('/', { method: 'POST', body: '{"a":"b"}' })).status).toBe(415)
  })

  it.each([['application/json'], ['Application/JSON; charset=utf-8'], ['application/vnd.api+json']])(
    'reads %s',
    async (type) => {
      const send = await app({}, express.json({ type: ['json', '+json'] }))
      const answer = await send('/', { method: 'POST', headers: { 'content-type': type }, body: '{"a":"b"}' })
      expect(answer.json).toEqual({ got: { a: 'b' } })
    },
  )

  it.each([false, true])(
    'reads a field of a form that comes once as the array it is (extended: %s)',
    async (extended) => {
      const Tags = z.array(z.string()).nullish()
      const schema = z.object({ tag: Tags, one: z.string(), any: z.union([z.string(), Tags]) })
      const made = express().use(express.urlencoded({ extended }))
      const bodyTypes = ['application/x-www-form-urlencoded']
      made.post('/', validate({ body: schema, bodyTypes }), (req, res) => {
        res.json({ valid: req.valid.body, raw: req.body })
      })
      made.use(showError)
      const send = await serve(made)
      const post = async (body: string) =>
        (await send('/', { method: 'POST', headers: { 'content-type': bodyTypes[0]! }, body })).json
      expect(await post('tag=a&one=b&any=c')).toEqual({
        valid: { tag: ['a'], one: 'b', any: 'c' },
        raw: { tag: 'a', one: 'b', any: 'c' },
      })
      expect((await post('tag=a&tag=b&one=c&any=d&any=e')).valid).toEqual({
        tag: ['a', 'b'],
        one: 'c',
        any: ['d', 'e'],
      })
      expect((await post('one=b&one=c&any=d')).errors).toMatchObject([{ pointer: '#/one' }])
    },
  )

  it('leaves a string in JSON a string, where the schema wants an array', async () => {
    const send = await app({ body: z.object({ tag: z.array(z.string()) }) }, express.json())
    expect((await send('/', { method: 'POST', body: { tag: 'a' } })).status).toBe(422)
  })

  it('reads forms if asked to', async () => {
    const options = { bodyTypes: ['application/x-www-form-urlencoded', 'application/json'] }
    const send = await app(options, express.urlencoded({ extended: false }))
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await send('/', { method: 'POST', headers: form, body: 'a=b' })).json).toEqual({
      got: { a: 'b' },
    })
    const text = await send('/', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'a' })
    expect(text.headers.accept).toBe('application/x-www-form-urlencoded, application/json')
  })

  it.each([
    ['no body at all', {}],
    ['a body of length zero', { headers: { 'content-type': 'application/json', 'content-length': '0' } }],
    [
      'an empty chunked body',
      { headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } },
    ],
  ])('gives the schema undefined for %s', async (_what, sent) => {
    const strict = await app({}, express.json())
    const answer = await strict('/', { method: 'POST', ...sent })
    expect(answer.status).toBe(422)
    expect(answer.json.errors).toEqual([{ in: 'body', pointer: '#', detail: expect.any(String) }])
    const lenient = await app({ body: body.optional() }, express.json())
    expect((await lenient('/', { method: 'POST', ...sent })).json).toEqual({ got: null })
  })

  it('gives the schema undefined for a GET through app.all, whatever it carries', async () => {
    const send = await app({ body: body.optional() }, express.json())
    expect((await send('/', { method: 'GET', body: { a: 'b' } })).json).toEqual({ got: null })
  })

  it('tells the developer of a body schema on a GET route', async () => {
    const made = express().use(express.json())
    made.get('/', validate({ body }), (_req, res) => res.end())
    made.use(showError)
    const send = await serve(made)
    expect((await send('/')).json).toMatchObject({ status: 500, code: 'ERR_SCALE_VALIDATION_BODY_ON_GET' })
  })

  it('tells the developer that no parser is mounted', async () => {
    const send = await app()
    const answer = await send('/', { body: { a: 'b' } })
    expect(answer.json).toMatchObject({ status: 500, code: 'ERR_SCALE_VALIDATION_BODY_NOT_PARSED' })
    expect(answer.json.detail).toMatch(/express\.json/)
  })

  it('answers 415, not 500, to a type that is accepted but that no parser reads', async () => {
    const send = await app({}, express.json())
    for (const type of [
      'application/vnd.x+json',
      'application/json; charset',
      'application/json;;',
      'application/json; a="',
    ]) {
      const answer = await send('/', { method: 'POST', headers: { 'content-type': type }, body: '{"a":"b"}' })
      expect([200, 415]).toContain(answer.status)
    }
  })

  it('takes an empty object for a body', async () => {
    const send = await app({ body: z.object({}) }, express.json())
    expect((await send('/', { method: 'POST', body: {} })).json).toEqual({ got: {} })
  })

  it('refuses a body that nests too deep for a recursive schema', async () => {
    const send = await app({ body: z.json() }, express.json())
    const headers = { 'content-type': 'application/json' }
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    expect((await send('/', { method: 'POST', headers, body: nested(64) })).status).toBe(200)
    for (const deep of [nested(65), nested(40_000), `{"a":${nested(64)}}`]) {
      const answer = await send('/', { method: 'POST', headers, body: deep })
      expect(answer.status).toBe(422)
      expect(answer.json.errors).toEqual([{ in: 'body', pointer: '#', detail: 'Nests too deep.' }])
    }
  })

  it.each(['{"__proto__":{"admin":true}}', '{"a":[{"b":{"__proto__":1}}]}'])(
    'refuses %s, which some libraries would pass on',
    async (text) => {
      const send = await app({ body: z.unknown() }, express.json())
      const answer = await send('/', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      })
      expect(answer.status).toBe(422)
      expect(answer.json.errors[0].detail).toBe('Has a member named __proto__.')
    },
  )

  it('leaves binary bodies to their schema', async () => {
    const options = { body: z.instanceof(Buffer).transform((bytes) => bytes.length), bodyTypes: ['image/*'] }
    const send = await app(options, express.raw({ type: 'image/png' }))
    const answer = await send('/', {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
      body: 'bytes',
    })
    expect(answer.json).toEqual({ got: 5 })
  })

  it('answers a request whose body never arrives once the parser has given up on it', async () => {
    const made = express().use(express.json())
    made.post('/', validate({ body }), (_req, res) => res.end())
    let parserError: unknown
    const failed = new Promise<void>((resolve) => {
      made.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => {
        parserError = error
        resolve()
      })
    })
    const server = made.listen(0, '127.0.0.1')
    const socket = connect(await portOf(server), '127.0.0.1')
    socket.write(
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"a"',
    )
    socket.end()
    await failed
    expect(parserError).toMatchObject({ type: 'request.aborted' })
    await close(server)
  })
})
