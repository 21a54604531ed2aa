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

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown error'
}
