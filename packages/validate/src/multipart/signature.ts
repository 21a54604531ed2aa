/** Bytes that are enough to tell. */
export const HEAD_BYTES = 12

/** How files of a type begin, in hexadecimal digits. A type that is not here is believed. */
const signatures: Readonly<Record<string, RegExp>> = {
  'application/pdf': /^255044462d/,
  'application/zip': /^504b(?:0304|0506)/,
  'image/gif': /^47494638(?:37|39)61/,
  'image/jpeg': /^ffd8ff/,
  'image/png': /^89504e470d0a1a0a/,
  'image/webp': /^52494646.{8}57454250/,
}

/** False if the first bytes of a file are not those of its type. */
export function beginsAs(type: string, head: Buffer): boolean {
  return signatures[type]?.test(head.toString('hex', 0, HEAD_BYTES)) ?? true
}

/** @param wanted  types, some of them with stars, as a rule has them */
export function isOneOf(type: string, wanted: readonly string[]): boolean {
  return wanted.some(
    (one) => one === type || one === '*/*' || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))),
  )
}
