import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { type RejectedMessage, rejected, validate } from '../src/index.js'
import { majors, serve, showError } from './support/apps.js'

it.each(majors)('publishes each refusal once, with names and numbers only: %s', async (_name, express) => {
  const messages: RejectedMessage[] = []
  onTestFinished(rejected.subscribe((message) => messages.push(message)))
  const app = express().use(express.json())
  app.post(
    '/users/:id',
    validate({
      params: z.object({ id: z.number() }),
      body: z.number().array(),
      query: z.object({}),
      maxIssues: 1,
    }),
    (_req, res) => void res.end(),
  )
  app.use(showError)
  const send = await serve(app)
  await send('/users/hunter2', { body: ['hunter2', 'hunter2'] })
  await send(`/users/1?${'hunter2'.repeat(2_000)}`, { body: [] })
  await send('/users/1', { method: 'POST', headers: { 'content-type': 'text/hunter2' }, body: 'hunter2' })
  const place = { method: 'POST', route: '/users/:id' }
  expect(messages).toEqual([
    { code: 'ERR_SCALE_VALIDATION', status: 422, parts: ['params', 'body'], issues: 3, ...place },
    { code: 'ERR_SCALE_VALIDATION_QUERY_SIZE', status: 414, parts: ['query'], issues: 1, ...place },
    { code: 'ERR_SCALE_VALIDATION_BODY_TYPE', status: 415, parts: ['body'], issues: 1, ...place },
  ])
})
