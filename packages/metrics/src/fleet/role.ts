import cluster from 'node:cluster'

/**
 * Whether this process tells its numbers to a primary of ours, or keeps them.
 *
 * A process of PM2's cluster mode is a `node:cluster` worker too, but its primary is PM2, which knows nothing of metrics:
 * each such process serves its own, on a port of its own. `exec_mode` is how PM2 says so; a primary that PM2 started in
 * fork mode hands `fork_mode` down to its workers.
 */
export function processRole(): 'worker' | 'primary' {
  const isOfPm2 = process.env.pm_id !== undefined && process.env.exec_mode === 'cluster_mode'
  return cluster.isWorker && !isOfPm2 ? 'worker' : 'primary'
}
