import { readFileSync } from 'node:fs'
import type { Next } from '@scale/core'
import type { RequestHandler } from 'express'
import createError from 'http-errors'
import { describe, expect, it } from 'vitest'
import { errorHandler } from '../src/index.js'
import { httpClients, PRIVATE } from './strangers/http-clients.js'
import { libraries } from './strangers/libraries.js'
import { expectProblem } from './support/rfc9457.js'
import { type Answered, type Asked, ask, failures, frameworks, listen } from './support/server.js'

const SECRET = 'hunter2'

describe.each(frameworks)('under %s', (_, framework) => {
  async function answering(middleware: RequestHandler, asked?: Asked): Promise<Answered> {
    const app = framework()
    app.use(framework.json({ type: () => asked?.body?.toString().includes('"mail"') ?? false }))
    app.use(middleware, errorHandler())
    return ask(await listen(app), asked)
  }

  function calling(call: () => Promise<unknown>): Promise<Answered> {
    return answering((_req, _res, next: Next) => {
      call().then(() => next(), next)
    })
  }

  describe.each(httpClients)('an error of $name', ({ call, timeoutStatus = 504 }) => {
    it.each([
      [400, 502],
      [401, 502],
      [404, 502],
      [409, 502],
      [429, 503],
      [500, 502],
      [503, 503],
      [504, 504],
    ])('answers its %i with %i and none of its headers', async (upstreamStatus, status) => {
      const messages = failures()
      const answered = await calling(() => call(upstreamStatus, 20_000))
      expectProblem(answered)
      expect(answered.json).toMatchObject({ status, code: 'ERR_SCALE_UPSTREAM' })
      expect(answered.text).not.toContain(SECRET)
      for (const name of Object.keys(PRIVATE)) expect(answered.headers).not.toHaveProperty(name)
      expect(answered.headers['retry-after']).toBe(upstreamStatus === 429 ? '7' : undefined)
      expect(messages).toMatchObject([{ status, upstreamStatus }])
    })

    it(`answers its silence with ${timeoutStatus}`, async () => {
      const messages = failures()
      const answered = await calling(() => call(0, 100))
      expect(answered.status).toBe(timeoutStatus)
      expect(answered.text).not.toContain(SECRET)
      expect(messages[0]!.upstreamStatus).toBeUndefined()
    })

    it('is not the client’s because createError of http-errors was called on it', async () => {
      const answered = await calling(() =>
        call(401, 20_000).catch((failed) => {
          throw createError(failed)
        }),
      )
      expect(answered.status).toBe(502)
      expect(answered.headers).not.toHaveProperty('www-authenticate')
    })
  })

  it.each(libraries)('$name: $failure is a $status', async ({ status, middleware, headers, body }) => {
    const messages = failures()
    const method = body === undefined && status !== 403 ? 'GET' : 'POST'
    const answered = await answering(middleware, {
      method,
      ...(headers && { headers }),
      ...(body && { body }),
    })
    expectProblem(answered)
    expect(answered.status).toBe(status)
    if (status === 500) expect(answered.json.code).toBe('ERR_SCALE_INTERNAL')
    expect(answered.text).not.toMatch(/hunter2|password_hash|mail/)
    expect(messages).toMatchObject([{ status, upstreamStatus: undefined }])
  })
})

it('is what the table in the docs says', () => {
  const page = readFileSync(new URL('../../../docs/concepts/errors.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| (`.+?) +\| (.+?) +\| (.+?) +\|$/gm)].map(
    ([, names, failure, answer]) => ({
      names: [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
      failure: failure!.replaceAll('`', ''),
      answer: answer!,
    }),
  )
  const documented = rows.filter(({ answer }) => /^[45]\d\d/.test(answer))
  expect([...new Set(documented.flatMap(({ names }) => names))].sort()).toEqual(
    [...new Set([...httpClients, ...libraries].map(({ name }) => name))].sort(),
  )
  for (const { name, failure, status } of libraries) {
    expect(documented).toContainEqual({
      names: expect.arrayContaining([name]),
      failure,
      answer: String(status),
    })
  }
})
