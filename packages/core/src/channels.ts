import diagnostics from 'node:diagnostics_channel'

/** A `node:diagnostics_channel` whose messages have a type. */
export interface Channel<Message> {
  /** `scale:<package>:<event>` */
  readonly name: string
  /** False while nobody listens: then build no message. */
  readonly hasSubscribers: boolean
  /**
   * Hands the message to every listener, in this tick. What a listener throws does not reach the publisher;
   * Node reports it as an uncaught exception.
   */
  publish(message: Message): void
  /** Starts to listen. @returns a function that stops it; calling it twice is harmless */
  subscribe(listener: (message: Message) => void): () => void
}

/**
 * A typed channel. Two calls with one name, even from two copies of this package, are one channel.
 *
 * Keep the result in a module constant: Node below 22.21 may drop subscribers of a channel that nobody holds.
 *
 * @param name  `scale:<package>:<event>`
 * @see https://nodejs.org/api/diagnostics_channel.html
 */
export function channel<Message>(name: `scale:${string}:${string}`): Channel<Message> {
  const inner = diagnostics.channel(name)
  return {
    name,
    get hasSubscribers() {
      return inner.hasSubscribers
    },
    publish(message) {
      inner.publish(message)
    },
    subscribe(listener) {
      const onMessage = (message: unknown): void => listener(message as Message)
      inner.subscribe(onMessage)
      return () => {
        inner.unsubscribe(onMessage)
      }
    },
  }
}
