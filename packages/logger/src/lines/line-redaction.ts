import { symbols } from 'pino'

type Stringifier = (value: unknown, stringify: (value: unknown) => string) => string | undefined

/**
 * What a logger's `redact` does to a line that was put together without pino.
 *
 * @returns the line as it is, where nothing is to be left out
 */
export function lineRedaction(logger: object): (line: string) => string {
  const stringifiers = (logger as Record<symbol, unknown>)[symbols.stringifiersSym] as
    | Record<string | symbol, Stringifier>
    | undefined
  const wildcard = stringifiers?.[symbols.wildcardFirstSym]
  if (stringifiers === undefined || (wildcard === undefined && Object.keys(stringifiers).length === 0))
    return (line) => line
  return function redactLine(line) {
    const members = Object.entries(JSON.parse(line) as Record<string, unknown>).flatMap(([name, value]) => {
      const text = (stringifiers[name] ?? wildcard ?? asJson)(value, asJson)
      return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`]
    })
    return `{${members.join(',')}}\n`
  }
}

function asJson(value: unknown): string {
  return JSON.stringify(value)
}
