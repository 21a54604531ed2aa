import { connect } from 'node:net'
import { PassThrough, pipeline, Readable, Transform } from 'node:stream'
import type { Request, RequestHandler } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { errorHandler } from '../src/index.js'
import { ask, askRaw, failures, frameworks, listen } from './support/server.js'

describe.each(frameworks)('a pipeline under %s', (_, framework) => {
  function serving(handler: RequestHandler): Promise<number> {
    const app = framework()
    app.use(handler, errorHandler())
    return listen(app)
  }

  const disk = new Error('disk failure')
  const broken = (): Transform => new Transform({ transform: (_chunk, _encoding, done) => done(disk) })

  it.each([
    ['before its first byte', false],
    ['half-way', true],
  ])('that fails %s is no client that left', async (_name, hasBegun) => {
    const messages = failures()
    const port = await serving((_req, res, next) => {
      const source = new Readable({ read: () => undefined })
      pipeline(source, res, next)
      if (hasBegun) res.write('half', () => source.destroy(disk))
      else source.destroy(disk)
    })
    await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(messages).toMatchObject([{ error: disk, outcome: 'cut', status: 500 }])
  })

  it('that fails on a body that is still coming is answered, and the connection closed', async () => {
    const messages = failures()
    const port = await serving((req, _res, next) => {
      pipeline(req, broken(), new PassThrough(), next)
    })
    const text = await askRaw(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf')
    expect(text).toMatch(/^HTTP\/1.1 500 /)
    expect(messages).toMatchObject([{ error: disk, outcome: 'answered', status: 500 }])
  })

  it('that fails on a body that has come is answered', async () => {
    const messages = failures()
    const port = await serving((req, _res, next) => {
      const whole = Readable.from(bytesOf(req))
      pipeline(whole, broken(), new PassThrough(), next)
    })
    expect((await ask(port, { method: 'POST', body: 'whole' })).status).toBe(500)
    expect(messages).toMatchObject([{ error: disk, outcome: 'answered', status: 500 }])
  })

  it.each([
    ['sends', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', (): RequestHandler => endless],
    ['reads', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf', (): RequestHandler => reading],
  ])('that breaks because the client left while it %s is that', async (_name, request, handler) => {
    const messages = failures()
    const port = await serving(handler())
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.once('data', () => socket.destroy())
    await vi.waitFor(() => expect(messages).toHaveLength(1))
    expect(messages).toMatchObject([{ outcome: 'client-left', status: 499 }])
  })

  const endless: RequestHandler = (_req, res, next) => {
    pipeline(Readable.from(forever()), res, next)
  }

  const reading: RequestHandler = (req, res, next) => {
    res.writeContinue()
    pipeline(req, new PassThrough(), next)
  }
})

async function* bytesOf(req: Request): AsyncGenerator<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk)
  yield Buffer.concat(chunks)
}

async function* forever(): AsyncGenerator<string> {
  for (;;) {
    yield 'more'
    await new Promise(setImmediate)
  }
}
