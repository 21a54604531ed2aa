import { expect, it } from 'vitest'
import { call, logOf, newcomer, startService } from './service.js'

it('the ids of a problem are found in the log, on whatever worker it arose, and no secret is', async () => {
  const service = await startService({ WEB_CONCURRENCY: '2' })
  const me = newcomer()
  await call(service.url, 'POST', '/v1/users', { body: me })
  const { body } = await call(service.url, 'POST', '/v1/login', { body: me })
  const token = String(body.token)
  await call(service.url, 'GET', '/v1/profile', { token })
  const problems: Awaited<ReturnType<typeof call>>[] = []
  for (let n = 0; n < 8; n++) {
    problems.push(await call(service.url, 'DELETE', `/v1/sessions/no-such-${n}?key=${token}`, { token }))
  }
  const last = await call(service.url, 'GET', '/v1/profile')
  // What was answered last is in the log when the service has ended.
  expect(await service.stop()).toBe(0)

  const log = logOf(service)
  for (const { status, headers, body } of [...problems, last]) {
    const lines = log.filter(
      (line) => line.request_id === body.requestId && line['http.response.status_code'],
    )
    expect(lines).toMatchObject([{ trace_id: body.traceId, 'http.response.status_code': status }])
    expect(headers.get('x-request-id')).toBe(body.requestId)
  }
  expect(log.find((line) => line.request_id === problems[0]!.body.requestId)).toMatchObject({
    'http.request.method': 'DELETE',
    'http.route': '/v1/sessions/:id',
    'service.name': 'users-profile',
  })
  for (const secret of [token, me.password, me.email]) expect(service.output()).not.toContain(secret)
})
