/**
 * What the exit status of a process says, so that an orchestrator can tell an end from a failure. Never 0 after a
 * forced end. The two large ones carry their names from `sysexits.h`; systemd: `RestartPreventExitStatus=78`.
 */
export const exitCodes = {
  /** Everything in flight was answered, every hook ran. */
  drained: 0,
  /** The drain ran out of time, a hook failed, the primary died, or a second signal cut it short. */
  forced: 1,
  /** EX_SOFTWARE: an uncaught error or an unhandled rejection. */
  uncaught: 70,
  /** EX_TEMPFAIL: workers that never became ready, and gave no status of their own, tripped the breaker. */
  breakerOpen: 75,
  /** EX_CONFIG: the app says that its configuration is wrong; starting it again cannot help. */
  badConfig: 78,
} as const
