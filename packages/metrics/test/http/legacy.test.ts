import express from 'express'
import bundle from 'express-prom-bundle'
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { httpMetrics } from '../../src/index.js'
import { frameworks } from '../support/frameworks.js'
import { ask, listen, samplesIn, send, seriesOf } from '../support/server.js'

const NAME = 'http_request_duration_seconds'

/** Names and labels of all series, and what is said of each metric; without values. */
async function shape(registry: Registry): Promise<{ series: string[]; described: string[] }> {
  const text = (await registry.metrics()).replace(
    /(?:# HELP|# TYPE|^)[^\n]*scale_metrics_overflow_total.*\n/gm,
    '',
  )
  const series = [...samplesIn(text).keys()].map((name) => {
    const [, metric, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(name)!
    return `${metric} ${labels
      .split(/,(?=\w+=)/)
      .sort()
      .join(' ')}`
  })
  return { series: series.sort(), described: text.split('\n').filter((line) => line.startsWith('#')) }
}

it.each(frameworks)(
  '%s: the series of express-prom-bundle, beside which it runs, and no others',
  async (_, framework) => {
    const [theirs, ours] = [new Registry(), new Registry()]
    const app = framework().use(
      bundle({
        includeMethod: true,
        includePath: true,
        autoregister: false,
        // Prometheus has an `up` of its own for each target, which a scraped one collides with.
        includeUp: false,
        promRegistry: theirs,
      }) as unknown as express.RequestHandler,
      httpMetrics({ register: ours, preset: 'legacy' }),
    )
    const users = framework.Router({ mergeParams: true })
    users.get('/:id', (_req, res) => void res.send('x'))
    users.post('/', (_req, res) => void res.status(201).end())
    app.use('/v1/orgs/:org/users', users)
    app.get('/', (_req, res) => void res.send('x'))
    app.get('/health', (_req, res) => void res.send('x'))
    app.get('/bad', (_req, res) => void res.status(503).end())
    const port = await listen(app)
    for (const path of ['/', '/health', '/bad', '/v1/orgs/12/users/7f3d9e2b1c', '/v1/orgs/12/users/34?a=1']) {
      await ask(port, { path })
    }
    await ask(port, { path: '/v1/orgs/12/users', method: 'POST' })
    await expect.poll(async () => (await shape(ours)).series.length).toBe(5 * 9)
    expect(await shape(ours)).toEqual(await shape(theirs))
  },
)

it('a route that does not exist has no path, and a client that left has 499: there it writes the URL, and 200', async () => {
  const register = new Registry()
  const app = express().use(httpMetrics({ register, preset: 'legacy', bounds: [1] }))
  let arrived = (): void => {}
  app.get('/hang', () => arrived())
  const port = await listen(app)
  await ask(port, { path: '/wp-login.php' })
  const there = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const socket = await send(port, 'GET /hang HTTP/1.1\r\nHost: x\r\n\r\n')
  await there
  socket.destroy()
  await expect
    .poll(() => seriesOf(register, NAME))
    .toEqual({ 'status_code="404",method="GET"': 1, 'status_code="499",method="GET",path="/hang"': 1 })
  expect(register.getMetricsAsArray().map(({ name }) => name)).toEqual(['scale_metrics_overflow_total', NAME])
})
