import type { OwnConnection, Receiver, Transport } from './transport.js'

const CHANNEL = '__redis__:invalidate'

/**
 * Client tracking in broadcast mode: the server tells of every change to keys that begin with one of the prefixes,
 * whoever made it. The connection redirects to itself, so there is no second one that could break alone, and speaks
 * RESP2, because ioredis drops the push messages of RESP3.
 *
 * @see https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class TrackingTransport implements Transport {
  readonly mode = 'tracking'
  readonly #listening = new WeakSet<OwnConnection>()

  async arm(connection: OwnConnection, prefixes: readonly string[], receiver: Receiver): Promise<boolean> {
    const id = String(await connection.call('CLIENT', ['ID']))
    const watched = prefixes.flatMap((prefix) => ['PREFIX', prefix])
    await connection.call('CLIENT', ['TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...watched])
    if (!this.#listening.has(connection)) {
      this.#listening.add(connection)
      // The payload is an array of names; null stands for FLUSHALL and FLUSHDB.
      connection.on('messageBuffer', (_channel: Buffer, names: Buffer[] | null) => {
        if (names === null) receiver.onLoss()
        else receiver.onKeys(names.map(String))
      })
    }
    await connection.subscribe(CHANNEL)
    return false
  }

  /** Messages and replies come in the order in which the server wrote them. */
  async prove(connection: OwnConnection): Promise<void> {
    await connection.ping()
  }
}
