import { createHash } from 'node:crypto'

// EMSA-PSS (RFC 8017 §9.1.1) with SHA-2 and a modulus of 2,048 bits, where each step may be done wrong.

/** What is done otherwise; each takes the right value and returns another. */
export interface PssChanges {
  /** The salt before it is hashed. */
  salt?: (salt: Buffer) => Buffer
  /** The hash of the message, before the salt is added. */
  messageHash?: (hash: Buffer) => Buffer
  /** Eight zeros before the message's hash. */
  zeros?: (zeros: Buffer) => Buffer
  /** The hash of all of it, as it is in the signature. */
  hash?: (hash: Buffer) => Buffer
  /** Zeros, a one and the salt, before they are masked. */
  block?: (block: Buffer) => Buffer
  /** After that. */
  masked?: (block: Buffer) => Buffer
  /** All of it. */
  message?: (message: Buffer) => Buffer
}

const SIZE = 256
const same = (value: Buffer): Buffer => value

function mask(seed: Buffer, length: number, digest: string): Buffer {
  const blocks: Buffer[] = []
  for (let count = 0; blocks.length * seed.length < length; count++) {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(count)
    blocks.push(createHash(digest).update(seed).update(counter).digest())
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** @param bits  of the hash: 256, 384 or 512 */
export function pssEncoded(signed: string, bits: 256 | 384 | 512, changes: PssChanges = {}): Buffer {
  const { salt = same, messageHash = same, zeros = same, hash = same } = changes
  const { block = same, masked = same, message = same } = changes
  const digest = `sha${bits}`
  const usedSalt = salt(Buffer.alloc(bits / 8, 7))
  const ofMessage = messageHash(createHash(digest).update(signed).digest())
  const whole = Buffer.concat([zeros(Buffer.alloc(8)), ofMessage, usedSalt])
  const ofAll = hash(createHash(digest).update(whole).digest())
  const length = SIZE - ofAll.length - 1
  const plain = block(Buffer.concat([Buffer.alloc(length - usedSalt.length - 1), Buffer.from([1]), usedSalt]))
  const hidden = mask(ofAll, length, digest).map((byte, index) => byte ^ plain[index]!)
  hidden[0]! &= 0x7f
  return message(Buffer.concat([masked(Buffer.from(hidden)), ofAll, Buffer.from([0xbc])]))
}
