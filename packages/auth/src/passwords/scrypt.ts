import { scrypt as derive, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const scrypt = promisify<string, Buffer, number, object, Buffer>(derive)

/** `$scrypt$ln=17,r=8,p=1$salt$hash`, base64 without padding. */
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/.-]{4,128})\$([\w+/.-]{22,128})$/
/** What Node may take for one: 1 GiB. */
const MAX_BYTES = 2 ** 30

/**
 * Whether a password has a hash of scrypt in PHC form, such as passlib writes.
 *
 * @returns `undefined` if this is no such hash, or one that takes more than 1 GiB
 */
export async function matchesScrypt(stored: string, password: string): Promise<boolean | undefined> {
  const [, ln, r, p, salt, expected] = FORM.exec(stored) ?? []
  if (expected === undefined) return undefined
  const [cost, blockSize, parallelization] = [2 ** Number(ln), Number(r), Number(p)]
  const bytes = 128 * blockSize * (cost + parallelization + 2)
  if (cost < 2 || blockSize < 1 || parallelization < 1 || bytes > MAX_BYTES) return undefined
  const wanted = Buffer.from(expected.replaceAll('.', '+'), 'base64')
  const options = { cost, blockSize, parallelization, maxmem: bytes }
  const made = await scrypt(
    password,
    Buffer.from(salt!.replaceAll('.', '+'), 'base64'),
    wanted.length,
    options,
  )
  return timingSafeEqual(made, wanted)
}
