const SENSITIVE =
  /secret|passw|passphrase|token|private|credential|cookie|auth|dsn|salt|(?:^|_)(?:key|pwd|pass)(?:_|$)/i
/** Credentials of a URL, and its query, in which some drivers take a password. */
const CREDENTIALS = /^([a-z][a-z\d+.-]*:\/\/)[^/?#]*@/i
const MASK = '********'

/** Whether a value is not to be shown, by what its variable is called. */
export function isSensitive(name: string, secrets: readonly string[]): boolean {
  return secrets.includes(name) || (SENSITIVE.test(name) && !name.endsWith('_FILE'))
}

/** Whether a part of a value is not to be shown. */
export function hasCredentials(text: string): boolean {
  return CREDENTIALS.test(text)
}

/** A value as it may be shown: on one line, bounded, without what opens something. */
export function masked(name: string, value: unknown, secrets: readonly string[]): string {
  if (isSensitive(name, secrets)) return MASK
  if (typeof value === 'object' && value !== null) return '(an object)'
  const text = String(value).replace(CREDENTIALS, `$1${MASK}@`)
  const isUrl = /^[a-z][a-z\d+.-]*:\/\//i.test(text)
  const shown = isUrl ? text.replace(/\?.*$/s, `?${MASK}`) : text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  const line = shown.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}
