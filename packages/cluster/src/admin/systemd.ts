import { spawn } from 'node:child_process'
import type { ClusterEvent } from '../events.js'

/**
 * Tells systemd how the service is (`Type=notify`, `WatchdogSec=`), when it was started by it. Node cannot send
 * datagrams to a Unix socket, so `systemd-notify` does; the unit needs `NotifyAccess=all`.
 *
 * @returns takes every event of the cluster; `undefined` where there is no systemd
 * @see sd_notify(3)
 */
export function systemdNotifier(
  env: Readonly<Record<string, string | undefined>>,
): ((event: ClusterEvent) => void) | undefined {
  if (env.NOTIFY_SOCKET === undefined || env.NOTIFY_SOCKET === '') return undefined
  const watchdogMs = Number(env.WATCHDOG_USEC) / 1_000
  if (watchdogMs > 0) setInterval(() => notify('WATCHDOG=1'), watchdogMs / 2).unref()
  return (event) => {
    if (event.type === 'ready') notify('READY=1', `STATUS=${event.message}`)
    else if (event.type === 'stopping') notify('STOPPING=1', `STATUS=${event.message}`)
    else if (event.type === 'reload' && event.state === 'started') {
      notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`, `STATUS=${event.message}`)
    } else if (event.type === 'reload') notify('READY=1', `STATUS=${event.message}`)
  }
}

function notify(...assignments: string[]): void {
  const child = spawn('systemd-notify', assignments, { stdio: 'ignore' })
  // Without the command the unit times out at its start, and its log says so.
  child.once('error', () => {})
  child.unref()
}
