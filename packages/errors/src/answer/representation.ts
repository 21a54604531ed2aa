import type { Problem, ProblemBody } from '../problem/problem.js'
import type { ErrorRequest } from './request.js'

const PROBLEM_JSON = 'application/problem+json'
const JSON_TYPE = 'application/json'
const HTML = 'text/html'
const offered = [PROBLEM_JSON, JSON_TYPE, HTML]

/** An answer, ready to be sent. */
export interface Representation {
  contentType: string
  text: string
}

/**
 * Writes a problem in the format that the client likes best: problem+json, unless it prefers plain JSON or HTML. A
 * client that accepts none of them gets problem+json, which tells more than a 406.
 */
export function represent(req: ErrorRequest, problem: Problem, body: ProblemBody): Representation {
  const type = req.accepts(offered) || PROBLEM_JSON
  return type === HTML
    ? { contentType: `${HTML}; charset=utf-8`, text: htmlOf(body) }
    : { contentType: type, text: jsonOf(problem, body) }
}

/** The members of RFC 9457, and ours. */
export function bodyOf(
  { type, title, status, detail, code }: Problem,
  instance: string | undefined,
  requestId: string | undefined,
  traceId: string | undefined,
): ProblemBody {
  return {
    type,
    title,
    status,
    detail,
    ...(instance !== undefined && { instance }),
    code,
    ...(requestId !== undefined && { requestId }),
    ...(traceId !== undefined && { traceId }),
  }
}

const STANDARD = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'traceId'])

/**
 * The body with its extension members: none that has the name of another, or that JSON cannot tell. RFC 9457 §3.2
 * would have no hyphens in names; `violated-policies` of draft-ietf-httpapi-ratelimit-headers has one.
 */
function jsonOf({ extensions }: Problem, body: ProblemBody): string {
  const text = JSON.stringify(body)
  if (extensions.length === 0) return text
  const members = extensions
    .filter(([name]) => /^[A-Za-z][\w-]*$/.test(name) && !STANDARD.has(name))
    .flatMap(([name, value]) => {
      const json = valueAsJson(value)
      return json === undefined ? [] : [`,${JSON.stringify(name)}:${json}`]
    })
  return `${text.slice(0, -1)}${members.join('')}}`
}

/** `undefined` for a function, a symbol, a bigint, a cycle, or a `toJSON` that throws. */
function valueAsJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function htmlOf({ title, status, detail, code, requestId }: ProblemBody): string {
  const heading = escapeHtml(`${status} ${title}`)
  const reference = escapeHtml(requestId === undefined ? code : `${code} · ${requestId}`)
  return (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    `<meta name="viewport" content="width=device-width">\n<title>${heading}</title>\n</head>\n<body>\n` +
    `<h1>${heading}</h1>\n<p>${escapeHtml(detail)}</p>\n<p><small>${reference}</small></p>\n</body>\n</html>\n`
  )
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!)
}
