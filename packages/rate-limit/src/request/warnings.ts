const said = new Set<string>()

/** Warns, unless that has been said: of a limiter by its name, or at all. */
export function warnOnce(code: string, message: string, name = ''): void {
  if (said.has(`${code} ${name}`)) return
  said.add(`${code} ${name}`)
  process.emitWarning(message, { code })
}

const MEANWHILE = {
  local: 'each process keeps a share of the quota by itself',
  open: 'no quota is kept, and every request passes',
  closed: 'every request is refused with 503',
}

/** The store gave no answer: quotas are not what they say. */
export function warnUnprotected(name: string, onStoreError: keyof typeof MEANWHILE, error: unknown): void {
  warnOnce(
    'SCALE_RATE_LIMIT_STORE',
    `The limiter \`${name}\` has no answer from its store (${error instanceof Error ? error.message : 'unknown error'}): ` +
      `until it has, ${MEANWHILE[onStoreError]}. See docs/troubleshooting.md. Said once; further ones are on the diagnostics ` +
      'channel scale:rate-limit:store-error.',
    name,
  )
}

/** The same limiter met a request again. */
export function warnTwice(name: string): void {
  warnOnce(
    'SCALE_RATE_LIMIT_TWICE',
    `The limiter \`${name}\` stands twice on the way of one request. It counts it once; mount it in one place, or use two limiters.`,
    name,
  )
}

/** A limiter was made where a request is served: it is gone with it, so that nothing adds up, or leaves one behind each time. */
export function warnInHandler(name: string): void {
  const { stack = '' } = new Error()
  if (!/[\\/](?:router|express)[\\/](?:lib[\\/])*(?:router[\\/])?layer\.js/.test(stack)) return
  warnOnce(
    'SCALE_RATE_LIMIT_IN_HANDLER',
    `The limiter \`${name}\` was made while a request was served. Make it once, as the app starts.`,
    name,
  )
}
