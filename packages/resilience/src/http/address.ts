import { ForeignAddress } from '../errors.js'

/**
 * The address of a path below a base. What would leave it, by another host or by `..`, is refused: part of a path may
 * come from a client.
 *
 * @throws {ForeignAddress} it does not begin with `/`, or leaves the base
 */
export function addressBelow(name: string, base: URL, path: string): URL {
  if (!path.startsWith('/')) throw new ForeignAddress(name)
  const root = base.pathname.replace(/\/$/, '')
  if (!URL.canParse(base.origin + root + path)) throw new ForeignAddress(name)
  const address = new URL(base.origin + root + path)
  const isBelow = address.origin === base.origin && address.pathname.startsWith(`${root}/`)
  if (!isBelow) throw new ForeignAddress(name)
  return address
}
