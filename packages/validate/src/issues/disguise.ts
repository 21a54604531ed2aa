/**
 * A copy of `value` in which each of the given texts, as a string, number, boolean or name, is another one of the same
 * kind and length: what quotes one of them must say something else of the copy.
 *
 * @throws if one of them cannot be replaced: it has no letter or digit, or is in an object that cannot be copied
 */
export function disguised(value: unknown, texts: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return texts.has(value) ? otherText(value) : value
  if (typeof value === 'boolean') return texts.has(String(value)) ? !value : value
  if (typeof value === 'number') return texts.has(String(value)) ? otherNumber(value) : value
  if (typeof value !== 'object' || value === null) {
    if (texts.has(String(value))) throw new Error('no other value of this type')
    return value
  }
  if (Array.isArray(value)) return value.map((element) => disguised(element, texts))
  const names = Object.keys(value)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) {
    if (names.length > 0) throw new Error('not a plain object')
    return value
  }
  const copy: Record<string, unknown> = Object.create(prototype)
  for (const name of names) {
    const member = disguised((value as Record<string, unknown>)[name], texts)
    const other = texts.has(name) ? otherText(name) : name
    if (other === '__proto__') throw new Error('a name that an assignment obeys')
    // The one would take the other's place, with what may be the value of before.
    if (Object.hasOwn(copy, other)) throw new Error('two members of one name')
    copy[other] = member
  }
  return copy
}

function otherText(text: string): string {
  const other = isAscii(text)
    ? Buffer.from(Buffer.from(text, 'latin1').map(otherCode)).toString('latin1')
    : text.replace(/[\p{L}\p{N}]/gu, otherCharacter)
  if (other === text) throw new Error('nothing to replace')
  return other
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text)
}

function otherNumber(number: number): number {
  const other = Number(otherText(String(number)).replace('f', 'e'))
  if (!Number.isFinite(other)) throw new Error('nothing to replace')
  return other
}

function otherCharacter(character: string): string {
  return isAscii(character)
    ? String.fromCharCode(otherCode(character.charCodeAt(0)))
    : 'x'.repeat(character.length)
}

/** A letter for a letter, a digit for a digit; no digit becomes a leading zero, all else stays. */
function otherCode(code: number): number {
  if (code >= 0x30 && code <= 0x39) return 0x31 + ((code - 0x30) % 9)
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
  if (!isLetter) return code
  return (code & 0x1f) === 26 ? code - 25 : code + 1
}
