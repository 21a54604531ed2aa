import { textProperty } from '../../property.js'
import type { Mapped } from '../mapped.js'

const malformed: Mapped = {
  status: 400,
  code: 'ERR_SCALE_BODY_MALFORMED',
  detail: 'The body is not well-formed multipart/form-data.',
}
const tooLarge: Mapped = {
  status: 413,
  code: 'ERR_SCALE_BODY_TOO_LARGE',
  detail: 'The body has more, or larger, parts than this route reads.',
}

/** By the `code` of a MulterError. Its messages may quote names of the form, so the words here are ours. */
const byCode = new Map<string, Mapped>([
  ['LIMIT_FILE_SIZE', { ...tooLarge, detail: 'A file is larger than this route reads.' }],
  ['LIMIT_FILE_COUNT', tooLarge],
  ['LIMIT_PART_COUNT', tooLarge],
  ['LIMIT_FIELD_COUNT', tooLarge],
  ['LIMIT_FIELD_KEY', tooLarge],
  ['LIMIT_FIELD_VALUE', tooLarge],
  ['LIMIT_FIELD_NESTING', malformed],
  ['LIMIT_FIELD_ARRAY_INDEX', malformed],
  ['INVALID_FIELD_NAME', malformed],
  ['LIMIT_UNEXPECTED_FILE', { ...malformed, detail: 'There is a file in a field that takes none.' }],
  ['MISSING_FIELD_NAME', malformed],
])

/** What busboy says, whole. It sets neither a name nor a code. */
const BUSBOY =
  /^(?:Malformed (?:part header|content type|urlencoded form)|Unexpected end of (?:form|file)|Multipart: Boundary not found|Missing Content-Type|Unsupported content type: .{0,200})$/s

/** Errors of multer, and of the busboy inside it and others, which multer passes on as they are. */
export function mapMultipart(thrown: unknown): Mapped | undefined {
  if (textProperty(thrown, 'name') === 'MulterError') return byCode.get(textProperty(thrown, 'code') ?? '')
  return textProperty(thrown, 'name') === 'Error' && BUSBOY.test(textProperty(thrown, 'message') ?? '')
    ? malformed
    : undefined
}
