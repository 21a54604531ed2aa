import { createHash } from 'node:crypto'

// The DER of a PKCS #1 v1.5 signature (RFC 8017 §9.2) with one thing wrong, under the numbers that Wycheproof has for it.

/** A value of DER, of which parts may be wrong. */
interface Value {
  tag: number
  content: Buffer
  /** Instead of the right one. */
  length?: readonly number[]
}

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const encoded = ({ tag, content, length = [content.length] }: Value): Buffer =>
  Buffer.concat([bytes(tag, ...length), content])
const withContent = (value: Value, content: Buffer): Buffer => encoded({ tag: value.tag, content })
const withTag = (value: Value, tag: number): Buffer => encoded({ tag, content: value.content })
const withLength = (value: Value, ...length: number[]): Buffer => encoded({ ...value, length })
const times = (byte: number, count: number): number[] => Array<number>(count).fill(byte)
const join = (...parts: readonly (Buffer | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)))
const indefinite = (value: Value, ...after: number[]): Buffer => join([value.tag, 0x80], value.content, after)

type Change = (value: Value) => Buffer

const NULL = [0x05, 0x00]
const END = [0x00, 0x00]

const sizes: readonly Change[] = [
  (value) => withLength(value, 0x81, value.content.length),
  (value) => withLength(value, 0x82, 0, value.content.length),
  (value) => withLength(value, value.content.length + 1),
]
const shorter: Change = (value) => withLength(value, value.content.length - 1)
const endless: readonly Change[] = [
  (value) => withLength(value, 0x85, 1, ...times(0, 3), value.content.length),
  (value) => withLength(value, 0x89, 1, ...times(0, 7), value.content.length),
  (value) => withLength(value, 0x84, 0x7f, ...times(0xff, 3)),
  (value) => withLength(value, 0x84, 0x80, ...times(0, 3)),
  (value) => withLength(value, 0x84, ...times(0xff, 4)),
  (value) => withLength(value, 0x85, ...times(0xff, 5)),
  (value) => withLength(value, 0x88, ...times(0xff, 8)),
  (value) => withLength(value, 0xff),
  (value) => indefinite(value),
]
const gone: Change = () => bytes()
const lonely: Change = ({ tag }) => bytes(tag)
const zerosAfter: Change = (value) => withContent(value, join(value.content, END))
const zerosBefore: Change = (value) => withContent(value, join(END, value.content))
const zerosBehind: Change = (value) => join(encoded(value), END)
const nullAfter: Change = (value) => withContent(value, join(value.content, NULL))
const garbage: readonly Change[] = [
  (value) => withContent({ ...value, tag: 0x30 }, join([0x49, 0x81], encoded(value))),
  (value) => withContent({ ...value, tag: 0x30 }, join([0x25, 0x00], encoded(value))),
  (value) => withContent({ ...value, tag: 0x30 }, join(encoded(value), [0x00, 0x04, 0xde, 0xad, 0xbe, 0xef])),
  (value) => join([0xaa, 0x00, 0xbb, 0x00, 0xcd, 0x00], encoded(value)),
  (value) => bytes(value.tag, 0x81),
  (value) => withContent({ ...value, tag: 0x30 }, join([0xaa, 0x02, 0xbb, 0x00], encoded(value))),
  (value) => join([value.tag | 0x20, 0x80], encoded(value), END),
  (value) => join([value.tag | 0x20, 0x80], withTag(value, 0x31), END),
]
const becomesNull: Change = () => bytes(...NULL)
const tags: readonly Change[] = [0x2e, 0x32, 0xff, 0x00, 0x9f].map((tag) => (value) => withTag(value, tag))
const dropped: Change = (value) => withContent(value, bytes())
const composed: Change = (value) =>
  encoded({
    tag: value.tag | 0x20,
    content: join(
      withContent(value, value.content.subarray(0, 1)),
      withContent(value, value.content.subarray(1)),
    ),
  })
const flippedFirst: Change = (value) =>
  withContent(value, join([value.content[0]! ^ 1], value.content.subarray(1)))
const flippedLast: Change = (value) =>
  withContent(value, join(value.content.subarray(0, -1), [value.content.at(-1)! ^ 1]))
const cut: readonly Change[] = [
  (value) => withContent(value, value.content.subarray(0, -1)),
  (value) => withContent(value, value.content.subarray(1)),
]

const ofAll = [...sizes, shorter, ...endless]
const additions = [zerosAfter, zerosBefore, zerosBehind, nullAfter, ...garbage]
const ofSequence: readonly Change[] = [
  ...[...ofAll, gone, lonely, ...additions, becomesNull, ...tags, dropped, composed, ...cut],
  (value) => indefinite(value, ...END),
  (value) => indefinite(value, 0x00),
  (value) => indefinite(value, 0x05, 0x00, ...END),
  (value) => indefinite(value, 0x06, 0x08, ...END),
  (value) => indefinite(value, ...END, 0xfe, 0x02, 0xbe, 0xef),
  (value) => indefinite(value, 0x02, 0x00),
  (value) => withContent(value, join([0x30, 0x00], value.content)),
  (value) => withContent(value, join(value.content, [0x30, 0x00])),
  zerosAfter,
  (value) => withContent(value, join(value.content, [0xbf, 0x7f, 0x00])),
  (value) => withContent(value, join(value.content, [0xa0, 0x02, ...NULL])),
  (value) => withContent(value, join(value.content, [0xa0, 0x00])),
  (value) => withContent(value, encoded(value)),
]
const ofOid: readonly Change[] = [
  ...[...ofAll, gone, lonely, ...additions, becomesNull, ...tags, dropped, composed],
  ...[flippedFirst, flippedLast, ...cut],
  // SHA-1, and one that is longer.
  (value) => withContent(value, bytes(0x2b, 0x0e, 0x03, 0x02, 0x1a)),
  (value) => withContent(value, join(value.content, [0x01])),
  (value) => withContent(value, join(value.content.subarray(0, 3), [0x81], value.content.subarray(4))),
  (value) => withContent(value, join(value.content.subarray(0, -1), [0x11])),
  (value) => withContent(value, join(value.content.subarray(0, -1), [...times(0x90, 9), 0x01])),
  (value) => withContent(value, join(value.content.subarray(0, -1), [0x81])),
  (value) => withContent(value, join(value.content.subarray(0, 2), [0x80], value.content.subarray(2))),
]
const ofNull: readonly Change[] = [
  ...[...sizes, ...endless.slice(0, -1), zerosAfter, nullAfter, ...garbage, ...tags],
  (value) => encoded({ tag: value.tag | 0x20, content: bytes() }),
  (value) => withContent(value, bytes(0x00)),
]
const ofOctets: readonly Change[] = [
  ...[...ofAll, lonely, zerosAfter, zerosBefore, nullAfter, ...garbage, becomesNull, ...tags],
  ...[dropped, composed, flippedFirst, flippedLast, ...cut],
]

interface Changes {
  outer?: Change
  inner?: Change
  oid?: Change
  nil?: Change
  octets?: Change
}

/** The DER of the SHA-256 of a text (RFC 8017 §9.2), or with a part of it changed. */
export function digestInfo(signed: string, changes: Changes = {}): Buffer {
  const { outer = encoded, inner = encoded, oid = encoded, nil = encoded, octets = encoded } = changes
  const sha256 = bytes(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01)
  const digest = createHash('sha256').update(signed).digest()
  const algorithm = join(oid({ tag: 0x06, content: sha256 }), nil({ tag: 0x05, content: bytes() }))
  const content = join(inner({ tag: 0x30, content: algorithm }), octets({ tag: 0x04, content: digest }))
  return outer({ tag: 0x30, content })
}

/** Every wrong one, by its number there. */
export function wrongDigestInfos(signed: string): readonly (readonly [id: number, der: Buffer])[] {
  const lastElementGone: Change = ({ tag, content }) =>
    encoded({ tag, content: content.subarray(0, 2 + content[1]!) })
  const elementTwice: Change = (value) =>
    withContent(value, join(value.content, value.content.subarray(2 + value.content[1]!)))
  const made = (first: number, part: keyof Changes, list: readonly Change[]) =>
    list.map((change, index) => [first + index, digestInfo(signed, { [part]: change })] as const)
  return [
    ...made(46, 'outer', [...ofSequence, lastElementGone, elementTwice]),
    ...made(98, 'inner', ofSequence),
    ...made(148, 'oid', ofOid),
    ...made(194, 'nil', ofNull),
    ...made(222, 'octets', ofOctets),
  ]
}
