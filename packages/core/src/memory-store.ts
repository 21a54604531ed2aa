import cluster from 'node:cluster'
import { MemoryStoreRefused } from './errors.js'

/**
 * Decides whether state may stay in this process. It may not in a cluster worker, or with
 * `NODE_ENV=production`, unless the app says so: there a second copy would know nothing of it.
 *
 * @param owner             who asks, the first word of the message: `session`
 * @param allowMemoryStore  the app's word that one process is all there is
 * @throws {MemoryStoreRefused} several processes are likely and nobody said otherwise
 */
export function assertMemoryStoreAllowed(owner: string, allowMemoryStore: boolean): void {
  if (allowMemoryStore) return
  if (cluster.isWorker) throw new MemoryStoreRefused(owner, 'this is a cluster worker')
  if (process.env.NODE_ENV === 'production') throw new MemoryStoreRefused(owner, 'NODE_ENV is production')
}
