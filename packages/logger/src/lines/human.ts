const COLORS: Readonly<Record<string, string>> = {
  trace: '90',
  debug: '36',
  info: '32',
  warn: '33',
  error: '31',
  fatal: '41',
}

/** What every line has, or what is shown in another way. */
const SHOWN = new Set([
  ...['level', 'time', 'msg', 'err', 'service.name', 'service.version', 'process.pid', 'worker.id'],
  ...['trace_id', 'span_id', 'trace_flags', 'http.request.method', 'http.route', 'url.path'],
  ...['http.response.status_code', 'duration_ms', 'error.type'],
])

/**
 * A JSON line as a person reads it: time, level, message, then the other fields; stacks on lines of their own.
 *
 * @param isColored  with the colours of a terminal
 */
export function humanLine(json: string, isColored: boolean): string {
  const fields = JSON.parse(json) as Record<string, unknown>
  const level = String(fields.level)
  const paint = (code: string, text: string): string => (isColored ? `\u001b[${code}m${text}\u001b[0m` : text)
  const words = [
    paint('90', timeOf(fields.time)),
    paint(COLORS[level] ?? '0', level.toUpperCase().padEnd(5)),
    ...('worker.id' in fields ? [paint('90', `[${fields['worker.id']}]`)] : []),
    ...requestWords(fields),
    ...Object.entries(fields)
      .filter(([name]) => !SHOWN.has(name))
      .map(([name, value]) => paint('90', `${plain(name)}=`) + plain(textOf(value))),
  ]
  return `${words.join(' ')}\n${stacks(fields.err, '    ')}`
}

function requestWords(fields: Record<string, unknown>): string[] {
  const message = fields.msg === undefined ? [] : [plain(String(fields.msg))]
  if (fields['http.request.method'] === undefined) return message
  return [
    plain(String(fields['http.request.method'])),
    plain(String(fields['url.path'] ?? fields['http.route'] ?? '')),
    String(fields['http.response.status_code'] ?? fields.ending),
    `${fields.duration_ms} ms`,
    ...(fields.msg === 'request completed' ? [] : message),
  ]
}

function timeOf(time: unknown): string {
  return (typeof time === 'number' ? new Date(time).toISOString() : String(time)).slice(11, 23)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function stacks(error: unknown, indent: string): string {
  if (typeof error !== 'object' || error === null) return ''
  const { stack, message, cause, errors } = error as Record<string, unknown>
  const own = String(stack ?? message ?? '')
    .split('\n')
    .map((line) => `${indent}${plain(line)}\n`)
    .join('')
  const others = [...(cause === undefined ? [] : [cause]), ...(Array.isArray(errors) ? errors : [])]
  return own + others.map((other) => stacks(other, `${indent}  `)).join('')
}

/** A terminal obeys control characters: what others sent must not reach it as such. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^[^\\]$/u, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`),
  )
}
