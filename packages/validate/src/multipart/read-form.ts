import type { IncomingMessage } from 'node:http'
import { finished, type Readable } from 'node:stream'
import { finished as settled } from 'node:stream/promises'
import busboy from 'busboy'
import { checkedFile } from './checked-file.js'
import { MultipartRefused } from './errors.js'
import type { Form } from './form.js'
import type { MultipartRules } from './options.js'
import { isOneOf } from './signature.js'
import { UploadedFile } from './uploaded-file.js'

/**
 * Reads a form to its end, or to the first part that is refused. It settles when nothing is being stored any more.
 *
 * @throws {MultipartRefused} the form, or a part of it, is not as it should be
 */
export async function readForm(req: IncomingMessage, form: Form, rules: MultipartRules): Promise<void> {
  const storing: Promise<void>[] = []
  try {
    await parse(req, rules, {
      field: (name, value) => form.addField(name, value),
      file: (file, fail) => {
        const stored = storeFile(file, form, rules)
        stored.catch(fail)
        storing.push(stored)
      },
    })
    await Promise.all(storing)
  } finally {
    await Promise.allSettled(storing)
  }
}

/** A file as it comes. */
interface Named {
  field: string
  name: string
  type: string
  source: Readable
}

interface Parts {
  field(name: string, value: string): void
  file(file: Named, fail: (error: unknown) => void): void
}

function parse(req: IncomingMessage, rules: MultipartRules, parts: Parts): Promise<void> {
  return new Promise((resolve, reject) => {
    const parser = parserOf(req, rules)

    function fail(error: unknown): void {
      req.unpipe(parser)
      parser.destroy()
      reject(error)
    }

    /** What a listener throws would end the process. */
    function guarded<Given extends unknown[]>(take: (...given: Given) => void): (...given: Given) => void {
      return (...given) => {
        try {
          take(...given)
        } catch (error) {
          fail(error)
        }
      }
    }

    parser.on(
      'field',
      guarded((name, value, { nameTruncated, valueTruncated }) => {
        if (nameTruncated) throw new MultipartRefused(413, undefined, 'The name of a field is too long.')
        if (valueTruncated)
          throw new MultipartRefused(413, name, `Has more than ${rules.maxFieldBytes} bytes.`)
        parts.field(named(name), value)
      }),
    )
    parser.on(
      'file',
      guarded((field, source, { filename: name = '', mimeType }) => {
        // Its error is the parser's as well, and that of what reads from it.
        source.on('error', () => undefined)
        // A form that was sent without choosing a file has one without a name.
        if (name === '') source.resume()
        else parts.file({ field: named(field), name, type: mimeType.toLowerCase(), source }, fail)
      }),
    )
    for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
      parser.on(limit, () => fail(new MultipartRefused(413, undefined, 'Has too many fields.')))
    }
    parser.on('error', (error) => fail(malformed(error)))
    parser.on('close', resolve)
    finished(req, { writable: false }, (error) => error && fail(error))
    req.pipe(parser)
  })
}

/** @throws {MultipartRefused} there is no boundary */
function parserOf(
  { headers }: IncomingMessage,
  { files, maxFields, maxFieldBytes }: MultipartRules,
): busboy.Busboy {
  const maxFiles = Object.values(files).reduce((sum, { maxCount = 1 }) => sum + maxCount, 0)
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      limits: { fields: maxFields, fieldSize: maxFieldBytes, parts: maxFields + maxFiles + 1 },
    })
  } catch (error) {
    throw malformed(error)
  }
}

function malformed(error: unknown): MultipartRefused {
  return new MultipartRefused(400, undefined, 'Is not well-formed multipart/form-data.', error)
}

/** busboy passes on parts that have no name. */
function named(name: string | undefined): string {
  if (name === undefined || name === '') throw malformed(undefined)
  return name
}

async function storeFile(
  { field, name, type, source }: Named,
  form: Form,
  rules: MultipartRules,
): Promise<void> {
  const { types, maxBytes } = form.ruleOfNext(field)
  if (!isOneOf(type, types)) {
    throw new MultipartRefused(415, field, `Is not of type ${types.join(', ')}.`)
  }
  const { checked, bytes } = checkedFile(source, field, type, maxBytes)
  const whole = settled(checked)
  whole.catch(() => undefined)
  const stored: unknown = await rules.store({ field, name, type, stream: checked })
  form.keepStored(stored)
  // Whatever `store` did not read is none of its file, and is checked all the same.
  checked.resume()
  await whole
  form.addFile(field, new UploadedFile(name, type, bytes(), stored))
}
