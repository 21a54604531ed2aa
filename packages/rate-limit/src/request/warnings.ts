const said = new Set<string>()

/** A limiter of which that was said of a name. */
function warnOnce(name: string, code: string, message: string): void {
  if (said.has(`${code} ${name}`)) return
  said.add(`${code} ${name}`)
  process.emitWarning(message, { code })
}

/** The same limiter met a request again. */
export function warnTwice(name: string): void {
  warnOnce(
    name,
    'SCALE_RATE_LIMIT_TWICE',
    `The limiter \`${name}\` stands twice on the way of one request. It counts it once; mount it in one place, or use two limiters.`,
  )
}

/** A limiter was made where a request is served: it is gone with it, so that nothing adds up, or leaves one behind each time. */
export function warnInHandler(name: string): void {
  const { stack = '' } = new Error()
  if (!/[\\/](?:router|express)[\\/](?:lib[\\/])*(?:router[\\/])?layer\.js/.test(stack)) return
  warnOnce(
    name,
    'SCALE_RATE_LIMIT_IN_HANDLER',
    `The limiter \`${name}\` was made while a request was served. Make it once, as the app starts.`,
  )
}
