/** What a server means by a word, and what is to be done. */
export interface ServerWord {
  /** The first word of its error, such as `READONLY`. */
  readonly code: string
  /** Why the operation has no answer: the server cannot serve it now, or this user may not ask for it. */
  readonly reason: 'refused' | 'denied'
  /** Whether it speaks of this command alone, or of all that come this way. */
  readonly scope: 'command' | 'server'
  /** Whether another server has to be looked for: this one will not get better. */
  readonly reconnect: boolean
}

const word = (
  code: string,
  reason: ServerWord['reason'],
  scope: ServerWord['scope'],
  reconnect = false,
): [string, ServerWord] => [code, Object.freeze({ code, reason, scope, reconnect })]

/**
 * What Redis 6.2 and later and Valkey say when it is not the command that is wrong. Each of them is a sign of life, the
 * command was not carried out, and the request gets a 503.
 */
export const serverWords: ReadonlyMap<string, ServerWord> = new Map([
  // A replica: the primary is elsewhere.
  word('READONLY', 'refused', 'server', true),
  // Reads its data set after a start.
  word('LOADING', 'refused', 'server'),
  // A replica without its primary, which may serve no old data.
  word('MASTERDOWN', 'refused', 'server', true),
  // Some slots have no server, or this one is in the minority.
  word('CLUSTERDOWN', 'refused', 'server'),
  // The keys of one command are on the move, and not all at one place.
  word('TRYAGAIN', 'refused', 'command'),
  // The slot is elsewhere; ioredis follows, unless it was sent on too often.
  word('MOVED', 'refused', 'command'),
  word('ASK', 'refused', 'command'),
  // Writes alone are refused: too few replicas, a snapshot that failed, no memory left.
  word('NOREPLICAS', 'refused', 'command'),
  word('MISCONF', 'refused', 'command'),
  word('OOM', 'refused', 'command'),
  // A script of somebody runs for too long.
  word('BUSY', 'refused', 'server'),
  // This user may not send this command, or use this key; or nobody may without a password.
  word('NOPERM', 'denied', 'command'),
  word('NOAUTH', 'denied', 'server'),
  word('WRONGPASS', 'denied', 'server'),
])

interface ServerError {
  readonly message: string
  /** Of the commands of a transaction. */
  readonly previousErrors?: readonly Error[]
}

/** How Redis up to 6.2 hands on the error of a command in a script: its own words around it. */
const IN_SCRIPT = /^ERR Error running script \(call to f_\w+\): @\w+:\d+: (?:@\w+: \d+: )?-?/
/** What a script is told that may not run a command: without a code up to 6.2, and as a sentence in 7. */
const DENIED_IN_SCRIPT = /^(?:ERR )?(?:The user executing the script can't|ACL failure in script)/
/** Keys of a script that are not all here. */
const NON_LOCAL = /^(?:ERR )?Script attempted to access (?:a non local key|keys? that)/

/**
 * Understands an error of a server by its innermost code. A transaction that was discarded (EXECABORT) says only that one of its
 * commands was wrong or refused: what counts is what that one was told, which ioredis hands on with the error.
 *
 * @returns `undefined` if the server is well and the command was wrong
 */
export function wordOf({ message, previousErrors = [] }: ServerError): ServerWord | undefined {
  for (const previous of previousErrors) {
    const known = wordOf(previous)
    if (known !== undefined) return known
  }
  const inner = message.replace(IN_SCRIPT, '')
  const known = serverWords.get(/^-?([A-Z]+)/.exec(inner)?.[1] ?? '')
  if (known !== undefined) return known
  if (DENIED_IN_SCRIPT.test(inner)) return serverWords.get('NOPERM')
  return NON_LOCAL.test(inner) ? serverWords.get('MOVED') : undefined
}
