import express from 'express'
import createError from 'http-errors'
import { describe, expect, it } from 'vitest'
import { errorHandler } from '../../../src/index.js'
import { problemOf } from '../../../src/problem/problem.js'
import { expectProblem } from '../../support/rfc9457.js'
import { ask, failures, frameworks, listen } from '../../support/server.js'

describe.each(frameworks)('%s itself', (_, framework) => {
  it('answers a parameter that cannot be decoded', async () => {
    const app = framework()
    app.get('/users/:id', (req, res) => {
      res.send(req.params.id)
    })
    app.use(errorHandler())
    const answered = await ask(await listen(app), { path: '/users/%E0%A4%A' })
    expectProblem(answered)
    expect(answered.json).toMatchObject({ status: 400, code: 'ERR_SCALE_URL_MALFORMED' })
    expect(answered.json.detail).not.toContain('E0')
  })

  it('says nothing of the path of a file that is not there', async () => {
    const messages = failures()
    const app = framework()
    app.get('/', (_req, res) => {
      res.sendFile('/srv/hunter2/index.html')
    })
    app.use(errorHandler())
    const answered = await ask(await listen(app))
    expect(answered.status).toBe(404)
    expect(answered.text).not.toContain('hunter2')
    expect(messages[0]!.error.message).toContain('ENOENT')
  })

  it('answers a range outside a file with its Content-Range', async () => {
    const app = framework()
    app.use(express.static(import.meta.dirname, { fallthrough: false }))
    app.use(errorHandler())
    const answered = await ask(await listen(app), {
      path: '/others.test.ts',
      headers: { range: 'bytes=9999999-' },
    })
    expectProblem(answered)
    expect(answered.headers['content-range']).toMatch(/^bytes \*\/\d+$/)
  })
})

it('takes a URIError of the app for a fault of the app', () => {
  expect(problemOf(new URIError('URI malformed')).status).toBe(500)
})

it('takes a timeout for 504, an abort by the server for 503', async () => {
  const timeout = await new Promise((resolve) => {
    const signal = AbortSignal.timeout(1)
    signal.addEventListener('abort', () => resolve(signal.reason))
  })
  expect(problemOf(timeout)).toMatchObject({ status: 504, code: 'ERR_SCALE_TIMEOUT' })
  expect(problemOf(AbortSignal.abort().reason)).toMatchObject({ status: 503, code: 'ERR_SCALE_ABORTED' })
  const nodes = Object.assign(new Error('x'), { name: 'AbortError', code: 'ABORT_ERR' })
  expect(problemOf(nodes)).toMatchObject({ status: 503, code: 'ERR_SCALE_ABORTED' })
})

it('reads the status of http-errors, whatever the class is called', () => {
  expect(problemOf(createError(409, 'Taken.'))).toMatchObject({ status: 409, detail: 'Taken.' })
  const wrapped = createError(404, new Error('ENOENT'), { expose: false })
  expect(problemOf(wrapped)).toMatchObject({ status: 404, upstreamStatus: undefined })
  const named = createError(499, 'Named.')
  expect(problemOf(named)).toMatchObject({ status: 499, detail: 'Named.' })
})

it('takes a map of details for celebrate only if it is by parts of a request', () => {
  const thrown = (part: string): Error => Object.assign(new Error('x'), { details: new Map([[part, {}]]) })
  expect(problemOf(thrown('query')).status).toBe(400)
  expect(problemOf(thrown('password_hash')).status).toBe(500)
})
