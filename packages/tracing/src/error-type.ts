/** The code of an error if it has one as programs give them, else its class. */
export function errorTypeOf(error: unknown): string {
  const code = read(error, 'code')
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,127}$/.test(code)) return code
  const name = read(error, 'name')
  return typeof name === 'string' && /^[\w.$-]{1,64}$/.test(name) ? name : typeof error
}

function read(value: unknown, name: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[name]
  } catch {
    return undefined
  }
}
