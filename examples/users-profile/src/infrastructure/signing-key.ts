import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.js'

const dataFolder = fileURLToPath(new URL('../../.data', import.meta.url))

/**
 * In development, the private key that signs access tokens: made at the first start and kept beside the embedded database, so
 * that copies that share the one share the other.
 */
export function madeSigningKey(config: Config): string {
  const folder = config.DATA_DIR ?? dataFolder
  const path = join(folder, 'jwt-private-key.pem')
  mkdirSync(folder, { recursive: true })
  const { privateKey } = generateKeyPairSync('ed25519')
  try {
    // Fails if another copy was first; then its key counts.
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8')
}
