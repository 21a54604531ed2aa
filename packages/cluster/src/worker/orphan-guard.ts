import { spawn } from 'node:child_process'

/** Looks once a second, and ends with the worker. `$1` the parent, `$2` the worker, `$3` the seconds that it may take. */
const SCRIPT = `
orphaned=0
while kill -0 "$2"; do
  kill -0 "$1" || orphaned=$((orphaned + 1))
  [ "$orphaned" -gt "$3" ] && kill -9 "$2"
  sleep 1
done`

/**
 * A process beside this one that ends it when its parent is gone and it has not ended in time: for a worker without the thread that
 * does so from within, and which may be stuck by then.
 *
 * @param parentPid  the parent that this process had at its start
 * @param onFailure  there is no shell here
 */
export function guardOrphan(parentPid: number, graceMs: number, onFailure: () => void): void {
  const args = [parentPid, process.pid, Math.ceil(graceMs / 1_000)].map(String)
  // Nothing of the worker's is held open, and what ends its group does not end the guard.
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'guard', ...args], { stdio: 'ignore', detached: true })
  guard.once('error', onFailure)
  guard.unref()
}
