import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { CreateRedisOptions } from '../options.js'

/** Resolves a host name: answers with an error, or an address and 4 or 6. */
export type DnsLookup = NonNullable<CreateRedisOptions['dnsLookup']>

/** What a socket needs to know. */
export interface SocketOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** A socket of the file system, in place of host and port. */
  readonly path?: string | null | undefined
  readonly family?: number | undefined
  readonly tls?: ConnectionOptions | undefined
}

/**
 * Opens a socket that cannot end the process: somebody always listens for its errors, also when ioredis has lost interest.
 *
 * @param onError  hears what ioredis may keep to itself
 */
export function openSocket(
  options: SocketOptions,
  dnsLookup: DnsLookup | undefined,
  onError: (error: Error) => void,
): Socket {
  const { host, port, path, family, tls } = options
  const where =
    path != null
      ? { path }
      : {
          port: port ?? 6_379,
          ...(host === undefined ? {} : { host }),
          ...(family === undefined ? {} : { family }),
          ...(dnsLookup === undefined ? {} : { lookup: lookupBy(dnsLookup) }),
        }
  const socket = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls })
  socket.on('error', onError)
  return socket
}

function lookupBy(dnsLookup: DnsLookup): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, (error, address, family) => {
      const known = family ?? isIP(address ?? '')
      if (error !== null) callback(error, '')
      else if (options.all) callback(null, [{ address, family: known }])
      else callback(null, address, known)
    })
  }
}
