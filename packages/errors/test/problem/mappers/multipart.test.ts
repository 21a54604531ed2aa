import multer from 'multer'
import { describe, expect, it } from 'vitest'
import { errorHandler } from '../../../src/index.js'
import { expectProblem } from '../../support/rfc9457.js'
import { type Answered, ask, failures, frameworks, listen } from '../../support/server.js'

const part = (disposition: string, content: string): string =>
  `--X\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`
const file = (field: string, content: string): string =>
  part(`name="${field}"; filename="hunter2.txt"`, content)
const END = '--X--\r\n'

describe.each(frameworks)('multer under %s', (_, framework) => {
  async function upload(body: string, contentType = 'multipart/form-data; boundary=X'): Promise<Answered> {
    const app = framework()
    const limits = { fileSize: 10, files: 1, fields: 1, fieldSize: 10, fieldNameSize: 10, parts: 2 }
    app.post('/', multer({ limits }).single('photo') as never, (_req, res) => {
      res.send('fine')
    })
    app.use(errorHandler())
    return ask(await listen(app), { method: 'POST', headers: { 'content-type': contentType }, body })
  }

  it.each([
    ['a file too large', file('photo', 'x'.repeat(11)) + END, 413, 'ERR_SCALE_BODY_TOO_LARGE'],
    ['a value too large', part('name="a"', 'x'.repeat(11)) + END, 413, 'ERR_SCALE_BODY_TOO_LARGE'],
    ['too many fields', part('name="a"', '') + part('name="b"', '') + END, 413, 'ERR_SCALE_BODY_TOO_LARGE'],
    ['an unexpected field', file('hunter2', 'x') + END, 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['a field without a name', part('x="a"', 'x') + END, 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['a body that ends early', file('photo', 'x'), 400, 'ERR_SCALE_BODY_MALFORMED'],
    ['a malformed part', '--X\r\nhunter2\r\n\r\nx\r\n--X--\r\n', 400, 'ERR_SCALE_BODY_MALFORMED'],
  ])('answers %s', async (_name, body, status, code) => {
    const messages = failures()
    const answered = await upload(body)
    expectProblem(answered)
    expect(answered.json).toMatchObject({ status, code })
    expect(answered.text).not.toContain('hunter2')
    expect(messages).toHaveLength(1)
  })

  it('answers a body without a boundary', async () => {
    const answered = await upload('x', 'multipart/form-data')
    expect(answered.json).toMatchObject({ status: 400, code: 'ERR_SCALE_BODY_MALFORMED' })
  })
})
