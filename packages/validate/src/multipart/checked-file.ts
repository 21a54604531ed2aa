import { pipeline, type Readable, Transform } from 'node:stream'
import { MultipartRefused } from './errors.js'
import { beginsAs, HEAD_BYTES } from './signature.js'

/** The stream of a file that fails as soon as it is too large or, before its first byte has passed, not of its type. */
export function checkedFile(
  source: Readable,
  field: string,
  type: string,
  maxBytes: number,
): { checked: Readable; bytes: () => number } {
  let bytes = 0
  let head: Buffer | undefined = Buffer.alloc(0)

  function check(): Error | null {
    return beginsAs(type, head!) ? null : new MultipartRefused(415, field, `Does not begin as ${type} does.`)
  }

  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > maxBytes) return done(new MultipartRefused(413, field, `Has more than ${maxBytes} bytes.`))
      if (head === undefined) return done(null, chunk)
      head = Buffer.concat([head, chunk])
      if (head.length < HEAD_BYTES) return done()
      const fault = check()
      const first = head
      head = undefined
      return fault ? done(fault) : done(null, first)
    },
    flush(done) {
      if (head === undefined) return done()
      const fault = check()
      return fault ? done(fault) : done(null, head)
    },
  })
  pipeline(source, checked, () => undefined)
  return { checked, bytes: () => bytes }
}
