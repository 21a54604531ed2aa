import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import type { EncryptionOptions } from '../options.js'
import type { Codec } from './codec.js'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * AES-256-GCM of each value, under a key of the session's own that is derived from one of the ring's, so that random
 * nonces of 96 bits never run short. A sealed text is `e1.{id of the key}.{nonce, ciphertext and tag in base64url}`.
 *
 * @see NIST SP 800-38D §8.2.2, §8.3
 */
export function sealedCodec({ keys, acceptPlain = false }: EncryptionOptions): Codec {
  const ring = new Map(keys.map(({ id, key }) => [id, keyBytes(key)]))
  const [current] = ring

  return {
    isPlain: false,
    encode: (text, sessionId, field) => {
      const [id, key] = current!
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, sessionKey(key, sessionId), nonce)
      cipher.setAAD(boundTo(sessionId, field))
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `e1.${id}.${sealed.toString('base64url')}`
    },
    decode: (stored, sessionId, field) => {
      const [version, id, body] = stored.split('.', 3)
      // JSON never begins with an `e`.
      if (version !== 'e1') return acceptPlain ? stored : undefined
      const key = ring.get(id!)
      const sealed = Buffer.from(body ?? '', 'base64url')
      if (key === undefined || sealed.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv(
        ALGORITHM,
        sessionKey(key, sessionId),
        sealed.subarray(0, NONCE_BYTES),
      )
      decipher.setAAD(boundTo(sessionId, field))
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
      try {
        return (
          decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') +
          decipher.final('utf8')
        )
      } catch {
        return undefined
      }
    },
  }
}

/** @returns 32 bytes if the key has them */
export function keyBytes(key: string | Uint8Array): Buffer {
  return typeof key === 'string' ? Buffer.from(key, 'base64') : Buffer.from(key)
}

function sessionKey(key: Buffer, sessionId: string): Buffer {
  return createHmac('sha256', key).update(`@scale/session 1 ${sessionId}`).digest()
}

function boundTo(sessionId: string, field: string): Buffer {
  return Buffer.from(`${sessionId} ${field}`)
}
