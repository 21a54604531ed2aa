import type { AddressInfo } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it } from 'vitest'
import { compose, type Middleware, type Next, prefetch } from '../src/index.js'

type Step = (req: express.Request, res: express.Response, next: Next) => unknown

/** A middleware that notes when its read is started and when it is used. */
function reader(name: string, log: string[]): Middleware {
  const started = new WeakSet<object>()
  const start = (req: object): void => {
    if (started.has(req)) return
    started.add(req)
    log.push(`start ${name}`)
  }
  const step: Middleware = (req, _res, next) => {
    start(req)
    setImmediate(() => {
      log.push(`run ${name}`)
      next()
    })
  }
  step[prefetch] = start
  return step
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('compose under %s', (_, framework) => {
  async function get(...steps: Step[]): Promise<{ status: number; text: string }> {
    const app = framework()
    app.get('/', compose(...steps), (_req, res) => {
      res.send('done')
    })
    app.use((error: unknown, _req: express.Request, res: express.Response, _next: Next) => {
      res.status(500).send(`error: ${String(error)}`)
    })
    const server = app.listen(0)
    await new Promise((resolve) => server.once('listening', resolve))
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const result = { status: response.status, text: await response.text() }
    await new Promise((resolve) => server.close(resolve))
    return result
  }

  it('starts every read first, then runs in order', async () => {
    const log: string[] = []
    const plain: Step = (_req, _res, next) => {
      log.push('run plain')
      next()
    }
    const result = await get(reader('a', log) as Step, plain, reader('b', log) as Step)
    expect(result).toEqual({ status: 200, text: 'done' })
    expect(log).toEqual(['start a', 'start b', 'run a', 'run plain', 'run b'])
  })

  it('starts the reads of a nested compose with the rest, once', async () => {
    const log: string[] = []
    await get(reader('a', log) as Step, compose(reader('b', log) as Step, reader('c', log) as Step))
    expect(log).toEqual(['start a', 'start b', 'start c', 'run a', 'run b', 'run c'])
  })

  it('stops where a step answers', async () => {
    const log: string[] = []
    const result = await get((_req, res) => res.status(403).send('no'), reader('late', log) as Step)
    expect(result).toEqual({ status: 403, text: 'no' })
    expect(log).toEqual(['start late'])
  })

  it.each<[string, Step]>([
    ['next(error)', (_req, _res, next) => next(new Error('down'))],
    [
      'a throw',
      () => {
        throw new Error('down')
      },
    ],
    ['a rejection', async () => Promise.reject(new Error('down'))],
    [
      'a rejection after next()',
      async (_req, _res, next) => {
        await Promise.resolve()
        next(new Error('down'))
        throw new Error('later')
      },
    ],
  ])('hands %s to the error handler', async (_name, step) => {
    expect(await get(step)).toEqual({ status: 500, text: 'error: Error: down' })
  })

  it('leaves the route on next("route")', async () => {
    expect((await get((_req, _res, next) => next('route'))).status).toBe(404)
  })

  it('runs the rest once when a step calls next() twice', async () => {
    let runs = 0
    const result = await get(
      (_req, _res, next) => {
        next()
        next()
      },
      (_req, _res, next) => {
        runs++
        next()
      },
    )
    expect(result.text).toBe('done')
    expect(runs).toBe(1)
  })

  it('with no steps does nothing', async () => {
    expect((await get()).text).toBe('done')
  })
})

it('shows its name in stack traces and has no early reads if its steps have none', () => {
  const composed = compose((_req, _res, next: Next) => next())
  expect(composed.name).toBe('compose')
  expect(prefetch in composed).toBe(false)
})
