import { STATUS_CODES } from 'node:http'
import { expect, it } from 'vitest'
import * as api from '../src/index.js'
import { codeOf, isErrorStatus, phraseOf, phrases, sentenceFor } from '../src/problem/status.js'

const { AppError, NotFound, TooManyRequests } = api

const classes = Object.entries(api).flatMap(([name, value]) => {
  if (typeof value !== 'function' || !(value.prototype instanceof AppError)) return []
  return [{ name, make: value as unknown as api.AppErrorClass }]
})

it('has a class for each status that an API answers with, named after its phrase', () => {
  const statuses = classes.map(({ name, make }) => {
    const error = new make('Because.')
    expect(error).toBeInstanceOf(AppError)
    expect(error).toBeInstanceOf(make)
    expect(error.name).toBe(name)
    expect(phraseOf(error.status).replaceAll(' ', '')).toBe(name)
    expect(error.code).toBe(codeOf(error.status))
    expect(error.message).toBe('Because.')
    return error.status
  })
  expect(statuses.sort()).toEqual([
    ...[
      400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 422, 423, 424, 425, 426,
    ],
    ...[428, 429, 431, 451, 500, 501, 502, 503, 504, 507],
  ])
})

it('knows the phrases of RFC 9110', () => {
  for (const [status, phrase] of Object.entries(phrases)) {
    // Node has the phrases of RFC 7231 for these two.
    if (status !== '413' && status !== '422') expect(phrase).toBe(STATUS_CODES[status])
  }
  expect([phraseOf(413), phraseOf(422)]).toEqual(['Content Too Large', 'Unprocessable Content'])
  expect([phraseOf(499), phraseOf(599)]).toEqual(['Client Error', 'Server Error'])
  expect([codeOf(404), codeOf(599)]).toEqual(['NOT_FOUND', 'SERVER_ERROR'])
})

it('has a sentence for every status', () => {
  for (let status = 400; status < 600; status++) expect(sentenceFor(status)).toMatch(/^[A-Z].+\.$/)
  expect([399, 400, 599, 600, 400.5, '404', null].map(isErrorStatus)).toEqual([
    ...[false, true, true, false, false, false, false],
  ])
})

it('carries what it is given', () => {
  const cause = new Error('below')
  const error = new TooManyRequests('Slow down.', {
    code: 'QUOTA',
    type: '/problems/quota',
    title: 'Quota',
    headers: { 'X-A': '1' },
    retryAfterMs: 1_500,
    extensions: { quota: 10 },
    cause,
  })
  expect({ ...error }).toEqual({
    name: 'TooManyRequests',
    code: 'QUOTA',
    status: 429,
    type: '/problems/quota',
    title: 'Quota',
    headers: { 'X-A': '1', 'Retry-After': '2' },
    extensions: { quota: 10 },
  })
  expect(error.cause).toBe(cause)
  expect(error.stack).toContain('app-error.test')
  expect('cause' in new NotFound()).toBe(false)
  expect(new NotFound().message).toBe('Not Found')
})

it('takes only statuses of errors', () => {
  // @ts-expect-error: no status of an error
  expect(new AppError(200, 'x').status).toBe(200)
  expect(new AppError(418 as 404, 'x').code).toBe('CLIENT_ERROR')
})
