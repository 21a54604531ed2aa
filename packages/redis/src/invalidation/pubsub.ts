import type { OwnConnection, Receiver, Transport } from './transport.js'

/** Where invalidations are published if there is neither tracking nor a stream. */
export const PUBSUB_CHANNEL = 'scale:redis:1:invalidations'

/** Names of keys as messages: what is not delivered is lost, so nothing survives a broken connection. */
export class PubSubTransport implements Transport {
  readonly mode = 'pubsub'
  readonly #listening = new WeakSet<OwnConnection>()

  async arm(connection: OwnConnection, _prefixes: readonly string[], receiver: Receiver): Promise<boolean> {
    if (!this.#listening.has(connection)) {
      this.#listening.add(connection)
      connection.on('message', (_channel: string, message: string) => receiver.onKeys(message.split('\n')))
    }
    await connection.subscribe(PUBSUB_CHANNEL)
    return false
  }

  async prove(connection: OwnConnection): Promise<void> {
    await connection.ping()
  }
}
