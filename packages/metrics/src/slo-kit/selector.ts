import { InvalidOption } from '@scale/core'
import { httpCatalogue } from '../catalogue.js'

/** One condition on a label, in PromQL. */
export interface Matcher {
  label: string
  operator: '=' | '!=' | '=~' | '!~'
  value: string
}

/** How a request ended decides whether it was good, and so not whether it counts. */
const endings = new Set(['http_response_status_code', 'error_type', 'le'])

/**
 * Reads a selector, without braces.
 *
 * @throws {InvalidOption} Prometheus would not take it, or no request could ever match it
 */
export function parseSelector(text: string): Matcher[] {
  const matchers: Matcher[] = []
  const matcher =
    /\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(?:,\s*|$)/y
  while (matcher.lastIndex < text.length) {
    const at = matcher.lastIndex
    const [, label, operator, quoted] =
      matcher.exec(text) ?? refuse(`cannot be read at \`${text.slice(at, at + 40)}\``)
    matchers.push({ label: label!, operator: operator as Matcher['operator'], value: unquoted(quoted!) })
  }
  for (const one of matchers) check(one)
  exampleOf(matchers)
  return matchers
}

function check({ label, operator, value }: Matcher): void {
  if (endings.has(label))
    refuse(`says with \`${label}\` how requests end, where it has to say which requests count`)
  const isOurs = httpCatalogue.duration.labels.includes(label)
  if (!isOurs && /^(?:http|url)_/.test(label)) refuse(`has a label \`${label}\` that no request has`)
  if (operator === '=~' || operator === '!~') pattern(value)
}

function unquoted(quoted: string): string {
  const quote = quoted[0]!
  const inside = quoted.slice(1, -1)
  if (quote === '`') return inside
  return inside.replace(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[0-7]{3}|.)/gi, (all, code: string) => {
    if (/^[xu]./.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    if (/^[0-7]{3}$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    if (code === quote) return quote
    const at = 'abfnrtv\\'.indexOf(code)
    if (at === -1) refuse(`has \`${all}\` in a string: PromQL wants a backslash of an expression twice`)
    return '\x07\b\f\n\r\t\v\\'[at]!
  })
}

/** What Prometheus would test a value with: always the whole of it. */
function pattern(source: string): RegExp {
  const foreign = /\(\?(?:[=!]|<[=!])|\\[1-9kpPQAzC]|\[\[:|\(\?[a-z-]*[imsU-]/.exec(source)
  if (foreign !== null)
    refuse(`has \`${foreign[0]}\` in an expression, which not both of Prometheus and its tests know`)
  try {
    return new RegExp(`^(?:${source.replaceAll('(?P<', '(?<')})$`, 's')
  } catch {
    return refuse(`has an expression that is none: \`${source}\``)
  }
}

function refuse(what: string): never {
  throw new InvalidOption(`objective: \`selector\` ${what}.`)
}

function isMet({ operator, value }: Matcher, text: string): boolean {
  const isEqual = operator === '=' || operator === '!=' ? text === value : pattern(value).test(text)
  return isEqual === (operator === '=' || operator === '=~')
}

/** Labels of a request that counts. @throws {InvalidOption} there is none */
export function exampleOf(matchers: readonly Matcher[]): Record<string, string> {
  const labels = [...new Set(matchers.map(({ label }) => label))]
  return Object.fromEntries(
    labels.map((label) => {
      const own = matchers.filter((one) => one.label === label)
      const found = candidates(label, own).find((text) => own.every((one) => isMet(one, text)))
      return [label, found ?? refuse(`is met by no value of \`${label}\` that could be found`)]
    }),
  )
}

/** Labels of a request that does not count, for one label only; `undefined` if everything counts. */
export function counterExampleOf(matchers: readonly Matcher[]): Record<string, string> | undefined {
  for (const matcher of matchers) {
    const text = candidates(matcher.label, []).find((one) => !isMet(matcher, one))
    if (text !== undefined) return { ...exampleOf(matchers), [matcher.label]: text }
    if (matcher.operator === '!=') return { ...exampleOf(matchers), [matcher.label]: matcher.value }
  }
  return undefined
}

function candidates(label: string, matchers: readonly Matcher[]): string[] {
  const told = matchers.flatMap(({ operator, value }) =>
    operator === '='
      ? [value]
      : operator === '=~'
        ? Array.from({ length: 64 }, (_, way) => sample(value, way))
        : [],
  )
  return [...told, label === 'http_request_method' ? 'GET' : '/a', '/other/b0', 'other', 'POST', '']
}

/**
 * A short text that an expression is likely to match.
 *
 * @param way  which alternative is taken, and how often what may be repeated is: 0 for the first and the fewest
 */
function sample(source: string, way: number): string {
  let at = 0
  return alternatives()

  function alternatives(): string {
    const all = [sequence()]
    while (source[at] === '|') {
      at++
      all.push(sequence())
    }
    return all[choice(all.length)]!
  }

  function choice(count: number): number {
    const chosen = way % count
    way = Math.floor(way / count)
    return chosen
  }

  function sequence(): string {
    let text = ''
    while (at < source.length && source[at] !== '|' && source[at] !== ')') {
      const one = atom()
      const [times = '', least] = take(/[*+?]\??|\{(\d+)(?:,\d*)?\}\??/y) ?? []
      if (times === '') text += one
      else
        text += one.repeat(
          Math.min(Number(least ?? (times[0] === '+' ? 1 : 0)), 1_000) + (least ? 0 : choice(2)),
        )
    }
    return text
  }

  function atom(): string {
    if (take(/\((?:\?:|\?P?<\w+>)?/y)) {
      const text = alternatives()
      at++
      return text
    }
    const [set] = take(/\[\^?\]?(?:[^\]\\]|\\.)*\]|\\[dDwWsS]|\./y) ?? []
    if (set !== undefined) return [...'a0/A-_ .:'].find((one) => pattern(set).test(one)) ?? set[1] ?? ''
    if (take(/[\^$]/y)) return ''
    take(/\\/y)
    return source[at++] ?? ''
  }

  function take(token: RegExp): RegExpExecArray | null {
    token.lastIndex = at
    const match = token.exec(source)
    if (match !== null) at = token.lastIndex
    return match
  }
}
