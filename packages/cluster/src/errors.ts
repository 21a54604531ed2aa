import { ScaleError } from '@scale/core'

/** The admin server could not listen. Thrown by `runCluster` before any worker is forked. */
export class AdminNotListening extends ScaleError {
  constructor(port: number, cause: unknown) {
    super(
      `runCluster: the admin server cannot listen on port ${port} (${codeOf(cause)}). Choose another \`admin.port\`.`,
      {
        code: 'ERR_SCALE_ADMIN_NOT_LISTENING',
        cause,
      },
    )
  }
}

/** `start` returned something that is not a server, or not one that listens in the end. */
export class NoServer extends ScaleError {
  constructor(message: string) {
    super(`runCluster: ${message}`, { code: 'ERR_SCALE_NO_SERVER' })
  }
}

/** A rolling reload was given up. Old workers serve on, except those that were already replaced. */
export class ReloadFailed extends ScaleError {
  /** Workers that already run what is on disk now. */
  readonly replaced: number
  /** Workers that were kept. */
  readonly kept: number

  constructor(replaced: number, kept: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    super(`reload failed: ${why}; ${replaced} replaced, ${kept} kept.`, {
      code: 'ERR_SCALE_RELOAD_FAILED',
      cause,
    })
    this.replaced = replaced
    this.kept = kept
  }
}

/** Something was asked of a process that is not the primary of a cluster. */
export class NotPrimary extends ScaleError {
  constructor(what: string, role: string) {
    super(
      `runCluster: ${what} needs the primary of at least two workers; this process is the role '${role}'.`,
      {
        code: 'ERR_SCALE_NOT_PRIMARY',
      },
    )
  }
}

/** A command to a running cluster could not be given, or failed there. */
export class ControlFailed extends ScaleError {
  constructor(message: string, cause?: unknown) {
    super(`${message}.`, { code: 'ERR_SCALE_CONTROL_FAILED', cause })
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown error'
}
