/** What to think of entries that a server holds from before it was promoted, or restarted. */
export type OnFailover = 'reload' | 'keep'

/** Length of what names a history. */
export const HISTORY_LENGTH = 16
/** In the place of a history that is not known, or not asked for. */
export const NO_HISTORY: string = '-'.repeat(HISTORY_LENGTH)

/**
 * The beginning of scripts: a function that names the history of the server, its replication id. A replica that is
 * promoted takes a new one, because from then on it knows no more of what its primary did; so does a server that
 * starts. Asking costs 3 µs of the server's time. A server that does not tell has none.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 */
export function historyLua(onFailover: OnFailover): string {
  if (onFailover === 'keep') return `local function history() return '${NO_HISTORY}' end\n`
  return `local function history()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(${'%x'.repeat(HISTORY_LENGTH)})') or '${NO_HISTORY}'
end
`
}
