const REDACTED = '[redacted]'

/** Names whose values are secret. */
const SECRET_NAME =
  /pass(?:word|wd|phrase|code)|secret|token|authorization|cookie|credential|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|session[-_]?id|connection[-_]?string|signature|^(?:pwd|pass|pin|otp|cvv|cvc|auth|jwt|sid|sig)$/i

/** In a query, these too: what OAuth and signed links carry. */
const SECRET_PARAMETER = /^(?:code|state|key|hash|hmac|email|phone)$/i

/** True for the name of a property, header or variable whose value must not be written. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** True for the name of a query or path parameter whose value must not be written. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(name) || SECRET_NAME.test(name)
}

/** What gives a secret away wherever it stands: pattern, and what is written in its place. */
const SHAPES: readonly [pattern: RegExp, replacement: string][] = [
  // Private keys, with their lines, also as JSON writes these.
  [/-----BEGIN[^"]{0,64}?KEY-----(?:[^"\\-]|\\.|-(?!----END))*(?:-----END[^"]{0,64}?KEY-----)?/g, REDACTED],
  // Databases take passwords with `/` and `@`; other schemes end their authority there.
  [
    /\b((?:rediss?|postgres(?:ql)?|mysql|mariadb|mongodb|amqps?|mssql)(?:\+\w+)?:\/\/)[^\s"'\\]*@/gi,
    `$1${REDACTED}@`,
  ],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'\\/?#]*@/gi, `$1${REDACTED}@`],
  [/\b(Bearer|Basic|Digest|DPoP|Negotiate|ApiKey)\s+(?=\S*[\d=_.~+/-])[\w.~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  // Signed and encrypted JSON tokens begin with `{"`.
  [/\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}/g, REDACTED],
  [/\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA)[A-Z0-9]{12,}/g, REDACTED],
  [
    /\b(?:gh[oprsu]_|github_pat_|gl(?:pat|dt|rt|ptt)-|xox[abeoprs]-|xapp-|[rsp]k_(?:live|test)_|whsec_|AIza|ya29\.|1\/\/0|SG\.|npm_|pypi-|sk-|hf_|hv[bsr]\.|do[opr]_v1_|shp(?:at|ca|pa|ss)_|key-|dapi|lin_api_|PMAK-|ATATT3|NRAK-|dp\.(?:pt|st)\.|sntry[su]_|sbp_|sq0\w{3}-|EAAA|glsa_|dckr_pat_|AGE-SECRET-KEY-)[\w.~+/=-]{8,}/g,
    REDACTED,
  ],
  [/\b\d{8,10}:[\w-]{30,}/g, REDACTED],
  [/(hooks\.slack\.com\/\w+\/|discord(?:app)?\.com\/api\/webhooks\/)[\w/-]+/gi, `$1${REDACTED}`],
  [/\b(__(?:Host|Secure)-[\w-]+=)[^\s;,"'\\]+/g, `$1${REDACTED}`],
  [/\b((?:set-)?cookie\s*:\s*)[^\n]+/gi, `$1${REDACTED}`],
  // name=value, name: value, "name":"value", also in JSON inside a string. A value may stand in quotes.
  [
    /([\w.-]*(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|session[-_]?id|signature|authorization)[\w.-]*\\?["']?\s*[=:]\s*)(?!\[redacted)(?:\\?"(?:[^"\\]|\\[^"])*\\?"|\\?'[^'\n]*'|[^\s"'\\,;&)}\]]+)/gi,
    `$1${REDACTED}`,
  ],
]

/** Messages of libraries that quote what they were given. */
const QUOTES: readonly [pattern: RegExp, replacement: string][] = [
  [
    /(Unexpected (?:token|string|number)[^\n]*?)?,? ?(?:\.\.\.)?"[^\n]*"(?:\.\.\.)? is not valid JSON/g,
    `JSON: ${REDACTED} is not valid`,
  ],
  [/(with args beginning with:)[^\n]*/g, `$1 ${REDACTED}`],
  [/(invalid (?:input )?(?:syntax|value|byte sequence)[^:\n]*: )[^\n]*/gi, `$1${REDACTED}`],
  [/(Received )(?:type \w+ \()?(?:'[^'\n]*'|"[^"\n]*")\)?/g, `$1${REDACTED}`],
  [/(Unrecognized keys?: )[^\n]*/g, `$1${REDACTED}`],
]

/** The text without what is plainly a secret. For values that the program chose to write: ids and digests stay. */
export function scrubText(text: string): string {
  let clean = text
  for (const [pattern, replacement] of SHAPES) clean = clean.replace(pattern, replacement)
  return clean
}

/** The text without what may be a secret. For messages, and for what clients send. */
export function scrubForeign(text: string): string {
  let clean = text
  for (const [pattern, replacement] of QUOTES) clean = clean.replace(pattern, replacement)
  return scrubText(clean).replace(/[\w~+=%-]{20,}/g, (word) => (isSecretWord(word) ? REDACTED : word))
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const OBJECT_ID = /^[0-9a-f]{24}$/i

/**
 * A long word of letters and digits mixed is rather a token than text. Ids of common kinds are not (UUID, ULID,
 * ObjectId), nor are words joined by hyphens.
 */
function isSecretWord(word: string): boolean {
  if (word.length < 20 || UUID.test(word) || OBJECT_ID.test(word)) return false
  if (/^[0-9A-HJKMNP-TV-Z]{26}$/.test(word)) return false
  if (/^\d+$/.test(word)) return false
  const parts = word.split(/[-_~+=%]+/)
  if (parts.every((part) => /^(?:[a-z]{0,24}|[A-Z]{0,24}|[A-Z][a-z]{0,24}|\d{0,20})$/.test(part)))
    return false
  // camelCase words, as code has them
  return /\d/.test(word) || !/^[A-Za-z]{1,40}$/.test(word)
}

/**
 * The path of a URL as it may be written: no query, no user, no segment that may be a secret.
 *
 * @param params  of the route: the value of one with a telling name is left out
 */
export function scrubPath(path: string, params?: Readonly<Record<string, unknown>>): string {
  let clean = /[^/]{20}|:|_|\.|eyJ|AKIA/.test(path) ? scrubSegments(path) : path
  for (const name in params) {
    const value = params[name]
    if (typeof value === 'string' && value !== '' && isSecretParameter(name)) {
      clean = clean.replace(
        new RegExp(`/${escapeRegExp(value)}(?=/|$)|/${escapeRegExp(encodeURIComponent(value))}(?=/|$)`),
        `/${REDACTED}`,
      )
    }
  }
  return clean
}

function scrubSegments(path: string): string {
  return path
    .split('/')
    .map((segment) => (scrubForeign(decoded(segment)) === decoded(segment) ? segment : REDACTED))
    .join('/')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** A query string with the values of telling names left out, and values that may be a secret; the names stay. */
export function redactQuery(query: string): string {
  return query
    .split('&')
    .slice(0, 64)
    .map((pair) => {
      const at = pair.indexOf('=')
      const name = at === -1 ? pair : pair.slice(0, at)
      if (scrubForeign(decoded(name)) !== decoded(name)) return REDACTED
      if (at === -1) return name
      const value = pair.slice(at + 1)
      const isSecret = isSecretParameter(decoded(name)) || scrubForeign(decoded(value)) !== decoded(value)
      return `${name}=${isSecret ? REDACTED : value}`
    })
    .join('&')
}
