import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { type RejectedMessage, rejected, validate } from '../src/index.js'
import { type IncomingFile, type MultipartOptions, multipart, UploadedFile } from '../src/multipart/index.js'
import { type Answer, majors, portOf, showError } from './support/apps.js'

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(40, 1)])
const JPEG = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(40, 1)])

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'multipart-'))
})
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  rmSync(folder, { recursive: true })
})

async function toDisk({ stream }: IncomingFile): Promise<string> {
  const path = join(folder, Math.random().toString(36).slice(2))
  try {
    await pipeline(stream, createWriteStream(path))
    return path
  } catch (error) {
    await unlink(path)
    throw error
  }
}

function part(disposition: string, content: string | Buffer, type?: string): Buffer {
  const head = `--X\r\nContent-Disposition: form-data; ${disposition}\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')])
}
const END = Buffer.from('--X--\r\n')
const photo = (content: Buffer = PNG, type = 'image/png', name = 'a.png'): Buffer =>
  part(`name="photo"; filename="${name}"`, content, type)
const title = part('name="title"', 'Tea')

describe.each(majors)('multipart under %s', (_name, express) => {
  const waiting = vi.fn()

  async function serving(given: Partial<MultipartOptions<string>> = {}): Promise<number> {
    const app = express()
    app.post(
      '/',
      multipart({
        files: {
          photo: { types: ['image/png', 'image/jpeg'], maxBytes: 1_000 },
          more: { types: ['image/*', 'text/plain'], maxBytes: 100_000, maxCount: 2 },
        },
        store: toDisk,
        remove: unlink,
        ...given,
      }),
      validate({ body: Form, bodyTypes: ['multipart/form-data'] }),
      (req: Request, res: Response) => {
        const { title, tags, photo, more } = req.valid.body as z.infer<typeof Form>
        if (title === 'fail') throw new Error('the handler fails')
        if (title === 'wait') return void waiting()
        const files = [photo, ...(more ?? [])].filter((file) => file !== undefined)
        res.json({ title, tags, files: files.map(({ name, type, bytes }) => ({ name, type, bytes })) })
      },
    )
    app.use(showError)
    const server = app.listen(0, '127.0.0.1')
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return portOf(server)
  }

  const Form = z.object({
    title: z.string().max(20),
    tags: z.array(z.string()).optional(),
    photo: z.instanceof(UploadedFile).optional(),
    more: z.array(z.instanceof(UploadedFile)).optional(),
  })

  async function sending(port: number, ...parts: Buffer[]): Promise<Pick<Answer, 'status' | 'json'>> {
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=X' },
      body: Buffer.concat(parts),
    })
    return { status: answer.status, json: await answer.json() }
  }

  it('gives fields and stored files to the schema', async () => {
    const port = await serving()
    const form = new FormData()
    form.append('title', 'Tëa')
    form.append('tags', 'one')
    form.append('photo', new Blob([PNG], { type: 'image/png' }), '../größe.png')
    form.append('more', new Blob(['text'], { type: 'text/plain' }), 'a.txt')
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: form })
    expect(await answer.json()).toEqual({
      title: 'Tëa',
      tags: ['one'],
      files: [
        { name: 'größe.png', type: 'image/png', bytes: PNG.length },
        { name: 'a.txt', type: 'text/plain', bytes: 4 },
      ],
    })
    const stored = readdirSync(folder).map((name) => readFileSync(join(folder, name)))
    expect(stored).toHaveLength(2)
    expect(stored).toContainEqual(PNG)
  })

  it('takes a form without a file, as browsers send it, for one without the field', async () => {
    const answer = await sending(
      await serving(),
      title,
      photo(Buffer.alloc(0), 'application/octet-stream', ''),
      END,
    )
    expect(answer).toEqual({ status: 200, json: { title: 'Tea', files: [] } })
  })

  it.each<[name: string, parts: Buffer[], status: number, pointer: string, detail: string]>([
    [
      'a file too large',
      [photo(Buffer.concat([PNG, Buffer.alloc(2_000)])), END],
      413,
      '#/photo',
      'Has more than 1000 bytes.',
    ],
    ['too many files', [photo(), photo(), END], 413, '#/photo', 'Has more than 1 files.'],
    ['another type', [photo(PNG, 'image/gif'), END], 415, '#/photo', 'Is not of type image/png, image/jpeg.'],
    [
      'a type that lies',
      [photo(JPEG, 'image/png'), END],
      415,
      '#/photo',
      'Does not begin as image/png does.',
    ],
    [
      'a short one that lies',
      [photo(Buffer.from('x'), 'image/png'), END],
      415,
      '#/photo',
      'Does not begin as image/png does.',
    ],
    [
      'a file in a field',
      [part('name="title"; filename="a"', 'x', 'image/png'), END],
      422,
      '#/title',
      'Takes no file.',
    ],
    [
      'a field named as of objects',
      [part('name="constructor"; filename="a"', 'x', 'image/png'), END],
      422,
      '#/constructor',
      'Takes no file.',
    ],
    ['a field for a file', [part('name="photo"', 'x'), END], 422, '#/photo', 'Is not a file.'],
    [
      'a long value',
      [part('name="title"', 'x'.repeat(65_537)), END],
      413,
      '#/title',
      'Has more than 65536 bytes.',
    ],
    ['many fields', [...Array.from({ length: 101 }, () => title), END], 413, '#', 'Has too many fields.'],
    ['a part without a name', [part('x="a"', 'x'), END], 400, '#', 'Is not well-formed multipart/form-data.'],
    [
      'a file without a name',
      [part('filename="a"', PNG, 'image/png'), END],
      400,
      '#',
      'Is not well-formed multipart/form-data.',
    ],
    ['a body that ends early', [title, photo()], 400, '#', 'Is not well-formed multipart/form-data.'],
  ])('refuses %s, and keeps nothing', async (_name, parts, status, pointer, detail) => {
    const messages: RejectedMessage[] = []
    ends.push(rejected.subscribe((message) => messages.push(message)))
    const port = await serving()
    const answer = await sending(port, part('name="more"; filename="b"', 'kept?', 'text/plain'), ...parts)
    expect(answer).toMatchObject({
      status,
      json: { code: 'ERR_SCALE_VALIDATION_MULTIPART', errors: [{ in: 'body', pointer, detail }] },
    })
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
    expect(messages).toMatchObject([
      { code: 'ERR_SCALE_VALIDATION_MULTIPART', status, parts: ['body'], issues: 1 },
    ])
    // The connection and the app serve the next one.
    expect((await sending(port, title, END)).status).toBe(200)
  })

  it('refuses a body without a boundary', async () => {
    const port = await serving()
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data' },
      body: 'x',
    })
    expect(answer.status).toBe(400)
  })

  it('lets other bodies pass', async () => {
    const port = await serving()
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(answer.status).toBe(415)
  })

  it.each([
    ['the schema refuses a field', part('name="title"', 'x'.repeat(21)), 422],
    ['the handler fails', part('name="title"', 'fail'), 500],
  ])('removes what was stored where %s', async (_name, field, status) => {
    const answer = await sending(await serving(), photo(), field, END)
    expect(answer.status).toBe(status)
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
  })

  it('removes what was stored where the client leaves', async () => {
    const port = await serving()
    const socket = connect(port, '127.0.0.1')
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: 99999\r\n\r\n',
    )
    socket.write(
      Buffer.concat([part('name="more"; filename="b"', 'whole', 'text/plain'), photo().subarray(0, 120)]),
    )
    await vi.waitFor(() => expect(readdirSync(folder)).toHaveLength(2))
    socket.destroy()
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
  })

  it('removes what was stored where the client leaves before the answer', async () => {
    waiting.mockClear()
    const socket = connect(await serving(), '127.0.0.1')
    const form = Buffer.concat([photo(), part('name="title"', 'wait'), END])
    const type = 'Content-Type: multipart/form-data; boundary=X'
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${type}\r\nContent-Length: ${form.length}\r\n\r\n`)
    socket.write(form)
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled())
    expect(readdirSync(folder)).toHaveLength(1)
    socket.destroy()
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
  })

  it('fails as the store does, and removes the others', async () => {
    const failure = new Error('disk full')
    const port = await serving({
      store: (file) => {
        if (file.field === 'photo') throw failure
        return toDisk(file)
      },
    })
    const answer = await sending(
      port,
      part('name="more"; filename="b"', 'x', 'text/plain'),
      photo(),
      title,
      END,
    )
    expect(answer.status).toBe(500)
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]))
  })

  it('checks also what the store does not read', async () => {
    const port = await serving({ store: async () => 'nothing', remove: () => undefined })
    expect((await sending(port, title, photo(), END)).json.files).toEqual([
      { name: 'a.png', type: 'image/png', bytes: PNG.length },
    ])
    expect((await sending(port, photo(Buffer.concat([PNG, Buffer.alloc(2_000)])), END)).status).toBe(413)
  })

  it('reads no faster than the store takes', async () => {
    const total = 64 * 1_048_576
    let release: () => void = () => undefined
    let received: () => number = () => 0
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const app = express()
    app.use(
      (req, _res, next) => {
        received = () => req.socket.bytesRead
        next()
      },
      multipart({
        files: { more: { types: ['text/plain'], maxBytes: total } },
        async store({ stream }) {
          await released
          let bytes = 0
          for await (const chunk of stream) bytes += chunk.length
          return bytes
        },
      }),
      (req: Request, res: Response) => res.json(req.body.more.stored),
    )
    const server = app.listen(0, '127.0.0.1')
    ends.push(() => server.close())
    const port = await portOf(server)
    const socket = connect(port, '127.0.0.1')
    const head = part('name="more"; filename="b"', '', 'text/plain').subarray(0, -2)
    const tail = Buffer.concat([Buffer.from('\r\n'), END])
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: ${head.length + total + tail.length}\r\n\r\n`,
    )
    socket.write(head)
    for (let sent = 0; sent < total; sent += 1_048_576) socket.write(Buffer.alloc(1_048_576))
    socket.write(tail)
    let before = -1
    await vi.waitFor(
      () => {
        const now = received()
        const isStill = now > 0 && now === before
        before = now
        expect(isStill).toBe(true)
      },
      { interval: 100, timeout: 10_000 },
    )
    expect(received()).toBeLessThan(total / 8)
    release()
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    await once(socket, 'close')
    expect(text.endsWith(String(total))).toBe(true)
  })

  it('reads forms as the platform does, however they are cut into pieces', async () => {
    const app = express()
    app.use(
      multipart({
        files: { photo: { types: ['*/*'], maxBytes: 10_000, maxCount: 10 } },
        store: async ({ stream }) => (await buffer(stream)).toString('latin1'),
      }),
      (req: Request, res: Response) => {
        const { photo = [], ...fields } = req.body
        const files = photo.map(({ name, bytes, stored }: UploadedFile) => [name, bytes, stored])
        res.json({ fields, files })
      },
    )
    const server = app.listen(0, '127.0.0.1')
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    const port = await portOf(server)
    const text = fc.string({ unit: fc.constantFrom('a', 'ü', '漢', '-', '\r\n', '"', ' ') })
    const name = fc.stringMatching(/^[a-z]{1,8}$/).filter((one) => one !== 'photo')
    const content = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(Buffer.from('\r\n--X\r\n--')))
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, text, { maxKeys: 5 }),
        fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), content), { maxLength: 5 }),
        fc.integer({ min: 1, max: 64 }),
        async (fields, files, size) => {
          const form = new FormData()
          for (const [key, value] of Object.entries(fields)) form.append(key, value)
          for (const [key, bytes] of files) form.append('photo', new Blob([bytes]), key)
          const request = new globalThis.Request('http://x/', { method: 'POST', body: form })
          const whole = Buffer.from(await request.clone().arrayBuffer())
          const wanted = await request.formData()
          const answer = await fetch(`http://127.0.0.1:${port}/`, {
            method: 'POST',
            headers: { 'content-type': request.headers.get('content-type')! },
            body: new Blob(cut(whole, size)).stream(),
            duplex: 'half',
          } as RequestInit)
          const platform = {
            fields: Object.fromEntries([...wanted].filter(([key]) => key !== 'photo')),
            files: await Promise.all(
              (wanted.getAll('photo') as File[]).map(async (file) => [
                file.name,
                file.size,
                Buffer.from(await file.arrayBuffer()).toString('latin1'),
              ]),
            ),
          }
          const got = (await answer.json()) as typeof platform
          // Files are stored at the same time, so in any order.
          expect({ ...got, files: got.files.sort() }).toEqual({ ...platform, files: platform.files.sort() })
        },
      ),
      { numRuns: 60 },
    )
  })

  function cut(whole: Buffer, size: number): Buffer[] {
    const pieces: Buffer[] = []
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size))
    return pieces
  }
})

it('goes with the instances of valibot too', () => {
  const file = new UploadedFile('a', 'text/plain', 1, { secret: true })
  expect(v.is(v.object({ file: v.instance(UploadedFile) }), { file })).toBe(true)
  expect(JSON.stringify(file)).not.toContain('secret')
})

it.each<[name: string, options: object]>([
  ['no store', { files: {} }],
  ['no files', { store: () => 1 }],
  ['a file without a size', { files: { a: { types: ['text/plain'] } }, store: () => 1 }],
  ['a file without types', { files: { a: { types: [], maxBytes: 1 } }, store: () => 1 }],
  ['a misspelt rule', { files: { a: { types: ['text/plain'], maxBytes: 1, maxcount: 1 } }, store: () => 1 }],
  ['a size of zero', { files: { a: { types: ['text/plain'], maxBytes: 0 } }, store: () => 1 }],
  ['a type that is none', { files: { a: { types: ['text'], maxBytes: 1 } }, store: () => 1 }],
  ['a count of zero', { files: { a: { types: ['text/plain'], maxBytes: 1, maxCount: 0 } }, store: () => 1 }],
])('refuses %s', (_name, options) => {
  expect(() => multipart(options as never)).toThrow(/^multipart: /)
})
