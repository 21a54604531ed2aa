import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type express from 'express'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rateLimit, user } from '../src/index.js'
import { expresses } from './app.js'

// Answers of all kinds, to clients that leave at every point: what is given back is what belongs to an answer that was finished.

const TAKEN = 2
const QUOTA = 1_000_000

type Answer = (res: express.Response, next: express.NextFunction) => void | Promise<void>

const answers: Record<string, Answer> = {
  json: (res) => void res.json({ ok: true }),
  'no content': (res) => void res.status(204).end(),
  'a head and a body': (res) => void res.writeHead(200, { 'Content-Length': '2' }).end('ok'),
  'a failure': (_res, next) => next(new Error('no')),
  'a stream': async (res) => {
    res.write('first ')
    await sleep(5)
    res.end('last')
  },
  'a head long before its body': async (res) => {
    res.flushHeaders()
    await sleep(5)
    res.end('late')
  },
  'late json': async (res) => {
    await sleep(8)
    res.json({ ok: true })
  },
  'a connection cut before the head': (res) => void res.destroy(),
  'a connection cut in the body': async (res) => {
    res.write('first ')
    await sleep(3)
    res.destroy()
  },
  'nothing at all': () => {},
}

interface Asked {
  answer: string
  method: string
  leaves: number | undefined
  resets: boolean
  cost: number
}

const request: fc.Arbitrary<Asked> = fc.record({
  answer: fc.constantFrom(...Object.keys(answers)),
  method: fc.constantFrom('GET', 'HEAD', 'POST'),
  /** When the client leaves, in ms; `undefined`: when it has its answer. */
  leaves: fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined, freq: 2 }),
  resets: fc.boolean(),
  cost: fc.integer({ min: 0, max: 3 }),
})

interface Ending {
  /** The client was gone before the answer was begun to be ended. */
  isAbandoned: boolean
  isFinished: boolean
}

it.each(expresses)('%s: at every point', async (name, make) => {
  const limiter = rateLimit({
    name: `endings ${name}`,
    policies: [{ name: 'p', quota: QUOTA, windowMs: 600_000 }],
    partitionKey: () => user('all'),
    cost: TAKEN,
    settle: (req) => Number(req.headers['x-cost']),
  })
  const endings = new Map<string, Ending>()
  const app = make()
  app.use((req, res, next) => {
    const ending: Ending = { isAbandoned: false, isFinished: false }
    const end = res.end
    res.end = ((...args: Parameters<typeof end>) => {
      ending.isAbandoned = res.closed || res.destroyed
      return Reflect.apply(end, res, args)
    }) as typeof end
    endings.set(String(req.headers['x-id']), ending)
    res.once('finish', () => {
      ending.isFinished = true
    })
    next()
  })
  app.use(limiter as express.RequestHandler)
  app.use((req, res, next) => void answers[decodeURIComponent(String(req.headers['x-answer']))]!(res, next))
  app.use(((_error, _req, res, _next) => void res.sendStatus(500)) as express.ErrorRequestHandler)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  let ids = 0

  const ask = async ({ answer, method, leaves, resets, cost }: Asked) => {
    const id = String(++ids)
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    const closed = once(socket, 'close')
    socket.write(
      `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Id: ${id}\r\nX-Answer: ${encodeURIComponent(answer)}\r\nX-Cost: ${cost}\r\n` +
        'Content-Length: 0\r\n\r\n',
    )
    const patience = leaves ?? (answer === 'nothing at all' ? 10 : undefined)
    if (patience !== undefined) {
      await sleep(patience)
      if (resets) socket.resetAndDestroy()
      else socket.destroy()
    }
    await closed
    return { id, cost, isServed: patience === undefined && !answer.includes('cut') }
  }

  try {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (requests) => {
        endings.clear()
        await limiter.reset(user('all'))
        const asked = await Promise.all(requests.map(ask))
        const open = () =>
          new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
        await expect.poll(open, { timeout: 10_000, interval: 5 }).toBe(0)
        // A client may be gone before the server has read its request.
        let spent = 0
        for (const { id, cost, isServed } of asked) {
          const ending = endings.get(id)
          if (isServed) expect(ending).toMatchObject({ isFinished: true })
          if (ending === undefined) continue
          if (ending.isAbandoned) expect(ending.isFinished).toBe(false)
          spent += ending.isFinished ? cost : TAKEN
        }
        await expect
          .poll(async () => QUOTA - (await limiter.peek(user('all'))).policies[0]!.remaining, {
            timeout: 5_000,
          })
          .toBe(spent)
      }),
      { numRuns: 25 },
    )
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
