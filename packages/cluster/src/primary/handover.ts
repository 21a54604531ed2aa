import type { Worker } from 'node:cluster'

/** How the cluster module hands a connection to a worker, and how the worker says whether it takes it. */
interface ClusterMessage {
  cmd: 'NODE_CLUSTER'
  act?: string
  seq?: number
  ack?: number
  accepted?: boolean
}

/**
 * A connection that is on its way to a worker when the worker dies is forgotten by the cluster module: the primary keeps it
 * open and waits for an answer for ever, and so does the client. Here that answer is given in the worker's place, "not
 * accepted", so that the connection goes to another worker. A worker answers before it reads, and all that it said has
 * been heard by then: so no request can run twice.
 *
 * The messages are Node's own; should they change, connections are handed over as without this.
 *
 * @returns how many connections are on their way to this worker
 */
export function takeBackOnDeath({ process: child }: Worker): () => number {
  const onTheWay = new Set<number>()
  const send = child.send
  child.send = ((message: ClusterMessage, ...rest: never[]) => {
    if (message?.cmd === 'NODE_CLUSTER' && message.act === 'newconn' && message.seq !== undefined) {
      onTheWay.add(message.seq)
    }
    return (send as (...args: unknown[]) => boolean).call(child, message, ...rest)
  }) as typeof send
  child.on('internalMessage', ({ cmd, ack }: ClusterMessage) => {
    if (cmd === 'NODE_CLUSTER' && ack !== undefined) onTheWay.delete(ack)
  })
  // Not 'disconnect': it never comes while a connection is on its way.
  child.once('exit', async () => {
    // Two polls: what the worker said before its end is then read.
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    for (const ack of onTheWay) {
      const reply: ClusterMessage = { cmd: 'NODE_CLUSTER', ack, accepted: false }
      child.emit('internalMessage', reply)
    }
    onTheWay.clear()
  })
  return () => onTheWay.size
}
