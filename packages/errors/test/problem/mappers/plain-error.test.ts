import createError from 'http-errors'
import { describe, expect, it } from 'vitest'
import { errorHandler } from '../../../src/index.js'
import { problemOf } from '../../../src/problem/problem.js'
import { expectProblem } from '../../support/rfc9457.js'
import { ask, frameworks, listen } from '../../support/server.js'

class NoSuchPage extends Error {
  readonly status = 404
  details = { page: 7 }
  response = { message: 'No such page.' }
}

class Throttled extends Error {
  get statusCode(): number {
    return 429
  }
}

describe.each(frameworks)('an error of the app that has a status, under %s', (_, framework) => {
  it.each<[name: string, thrown: unknown, status: number, detail: string | undefined]>([
    ['a status', Object.assign(new Error('Taken.'), { status: 409 }), 409, 'Taken.'],
    [
      'a statusCode',
      Object.assign(new Error('Taken.'), { status: 'active', statusCode: 409 }),
      409,
      'Taken.',
    ],
    ['a class', new NoSuchPage('No such page.'), 404, 'No such page.'],
    ['a getter', new Throttled('Slow down.'), 429, 'Slow down.'],
    ['an object', { status: 404, message: 'No such page.' }, 404, 'No such page.'],
    ['expose', Object.assign(new Error('hunter2'), { status: 404, expose: false }), 404, undefined],
    ['its own 5xx', Object.assign(new Error('hunter2'), { status: 503 }), 503, undefined],
    ['a cause', Object.assign(new Error('x', { cause: { status: 500 } }), { status: 404 }), 404, 'x'],
    ['the name of another', Object.assign(new Error('x'), { status: 408, name: 'TimeoutError' }), 408, 'x'],
    ['createError', createError(404, new Error("ENOENT: '/srv/hunter2'"), { expose: false }), 404, undefined],
    [
      'an error of the system',
      Object.assign(new Error("ENOENT: '/srv/hunter2'"), { syscall: 'open', status: 404 }),
      404,
      undefined,
    ],
  ])('speaks to the client: %s', async (_name, thrown, status, detail) => {
    const app = framework()
    app.use((_req, _res, next) => next(thrown))
    app.use(errorHandler())
    const answered = await ask(await listen(app))
    expectProblem(answered)
    expect(answered.status).toBe(status)
    if (detail !== undefined) expect(answered.json.detail).toBe(detail)
    expect(answered.text).not.toContain('hunter2')
  })

  it('may choose headers, as Express has it', async () => {
    const app = framework()
    app.use(() => {
      throw Object.assign(new Error('Who are you?'), {
        status: 401,
        headers: { 'WWW-Authenticate': 'Basic' },
      })
    })
    app.use(errorHandler())
    const answered = await ask(await listen(app))
    expect(answered).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic' } })
  })
})

it('is no error for clients without a status, whatever else it has', () => {
  for (const properties of [
    { status: 200 },
    { status: '404' },
    { status: 4.04e2 + 0.5 },
    { code: 404 },
    {},
  ]) {
    expect(problemOf(Object.assign(new Error('x'), properties)).status).toBe(500)
  }
})

it('does not know the code of zlib from an error of its own', () => {
  const made = problemOf(Object.assign(new Error('x'), { status: 400, code: 'Z_DATA_ERROR' }))
  expect(made).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
})
