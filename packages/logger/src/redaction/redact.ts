const REDACTED = '[redacted]'

/** Most characters of a text that are looked at and written: what is longer is cut before, so that no text costs more. */
const MAX_TEXT = 4_096

/** Of a longer name the beginning and the end are looked at. */
const MAX_NAME = 128

/** Names whose values are secret. */
const SECRET_NAME =
  /pass(?:word|wd|phrase|code)|secret|token|authorization|cookie|credential|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|session[-_]?id|connection[-_]?string|signature|(?<!by|com|sur|tres)pass(?!ed|es$|ing|ive|age|through)|(?:^|[-_.])(?:pwd|pin|otp|totp|cvv|cvc|iban|auth|jwt|sid|sig)$/i
/** The same where a capital begins the word: `userPin`, `dbPwd`. */
const SECRET_WORD = /[a-z0-9](?:Pwd|Pin|Otp|OTP|Cvv|CVV|Cvc|CVC|Iban|IBAN|Jwt|JWT)$/
/** `signingKey`, `STRIPE_KEY`; a bare `key` is that of a cache or a map. */
const KEY_NAME = /(?:[a-z0-9]Key|[-_.]key|[-_.]KEY)$/
/** Keys that name a thing. */
const PLAIN_KEY =
  /(?:primary|foreign|partition|sort|cache|public|routing|object|idempotency|group|unique|index|row|hash|map|message|event|bucket|s3|redis|lock|job|dedup\w{0,12})[-_.]?key$/i

/** Shorter than what keys are made of, and longer than ids. */
const MIN_KEY = 40
const KEY_WORD = /[\w~+=%-]{40,}/g

/** In a query, these too: what OAuth and signed links carry. */
const SECRET_PARAMETER = /^(?:code|state|key|hash|hmac|email|phone)$/i

/** True for the name of a property, header or variable whose value must not be written. */
export function isSecretName(name: string): boolean {
  if (name.length > MAX_NAME)
    return isSecretName(name.slice(0, MAX_NAME)) || isSecretName(name.slice(-MAX_NAME))
  return SECRET_NAME.test(name) || SECRET_WORD.test(name) || (KEY_NAME.test(name) && !PLAIN_KEY.test(name))
}

const CARD =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|6(?:011|5\d\d)\d{12})$/

/** True for digits that a card issuer gives out, with the right check digit (ISO/IEC 7812-1, Luhn). */
export function isCardNumber(digits: string): boolean {
  if (!CARD.test(digits)) return false
  let sum = 0
  for (let n = 0; n < digits.length; n++) {
    const digit = Number(digits[digits.length - 1 - n])
    sum += n % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2
  }
  return sum % 10 === 0
}

/** True for the name of a query or path parameter whose value must not be written. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(name) || isSecretName(name)
}

/** What gives a secret away wherever it stands: pattern, and what is written in its place. */
const SHAPES: readonly [pattern: RegExp, replacement: string][] = [
  // Private keys, with their lines, also as JSON writes these.
  [/-----BEGIN[^"]{0,64}?KEY-----(?:[^"\\-]|\\.|-(?!----END))*(?:-----END[^"]{0,64}?KEY-----)?/g, REDACTED],
  // Databases take passwords with `/` and `@`; other schemes end their authority there.
  [
    /\b((?:rediss?|postgres(?:ql)?|mysql|mariadb|mongodb|amqps?|mssql)(?:\+\w{1,16})?:\/\/)[^\s"'\\]{0,1024}@/gi,
    `$1${REDACTED}@`,
  ],
  [/(:\/\/)[^\s"'\\/?#]*@/gi, `$1${REDACTED}@`],
  [/\b(Bearer|Basic|Digest|DPoP|Negotiate|ApiKey)\s+(?=\S*[\d=_.~+/-])[\w.~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  // Signed and encrypted JSON tokens begin with `{"`.
  [/\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}/g, REDACTED],
  [/\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA)[A-Z0-9]{12,}/g, REDACTED],
  [
    /\b(?:gh[oprsu]_|github_pat_|gl(?:pat|dt|rt|ptt)-|xox[abeoprs]-|xapp-|[rsp]k_(?:live|test)_|whsec_|AIza|ya29\.|1\/\/0|SG\.|npm_|pypi-|sk-|hf_|hv[bsr]\.|do[opr]_v1_|shp(?:at|ca|pa|ss)_|key-|dapi|lin_api_|PMAK-|ATATT3|NRAK-|dp\.(?:pt|st)\.|sntry[su]_|sbp_|sq0\w{3}-|EAAA|glsa_|dckr_pat_|AGE-SECRET-KEY-)[\w.~+/=-]{8,}/g,
    REDACTED,
  ],
  [/\b\d{8,10}:[\w-]{30,}/g, REDACTED],
  // Twilio; the secret of one payment of Stripe, whose id stays; what signs a cookie, with what it signs.
  [/\bSK[0-9a-f]{32}\b/g, REDACTED],
  [/(_secret_)[A-Za-z0-9]{8,}/g, `$1${REDACTED}`],
  [/\bs(?::|%3A)[\w-]{8,}\.[\w+/=%-]{20,}/g, REDACTED],
  [/(hooks\.slack\.com\/\w+\/|discord(?:app)?\.com\/api\/webhooks\/)[\w/-]+/gi, `$1${REDACTED}`],
  [/\b(__(?:Host|Secure)-[\w-]{1,128}=)[^\s;,"'\\]+/g, `$1${REDACTED}`],
  [/\b((?:set-)?cookie\s{0,8}:\s{0,8})[^\n]+/gi, `$1${REDACTED}`],
  // name=value, name: value, "name":"value", also in JSON inside a string. A value may stand in quotes.
  [
    /((?:pass(?:word|wd|phrase|code)|(?:\b|_)pass(?=\s{0,8}[=:])|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|session[-_]?id|signature|authorization)[\w.-]{0,64}\\?["']?\s{0,8}[=:]\s{0,8})(?!\[redacted)(?:\\?"(?:[^"\\]|\\[^"])*(?:\\?"|\\?$)|\\?'[^'\n]*(?:'|$|(?=\n))|[^\s"'\\,;&)}\]]+)/gi,
    `$1${REDACTED}`,
  ],
  [
    /((?<![A-Za-z0-9])(?:otp|totp|pin|cvv|cvc|iban)\\?["']?\s{0,8}[=:]\s{0,8}\\?["']?)[A-Za-z0-9]{2,34}/gi,
    `$1${REDACTED}`,
  ],
]

/** Messages of libraries that quote what they were given. */
const QUOTES: readonly [pattern: RegExp, replacement: string][] = [
  [/(with args beginning with:)[^\n]*/g, `$1 ${REDACTED}`],
  [/(invalid (?:input )?(?:syntax|value|byte sequence)[^:\n]{0,128}: )[^\n]*/gi, `$1${REDACTED}`],
  [/(Received )(?:type \w+ \()?(?:'[^'\n]*'|"[^"\n]*")\)?/g, `$1${REDACTED}`],
  [/(Unrecognized keys?: )[^\n]*/g, `$1${REDACTED}`],
]

const CARD_IN_TEXT = /(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])/g

/** The text, or its beginning without the word in which it was cut: half a secret is not known by its shape. */
function bounded(text: string): string {
  if (text.length <= MAX_TEXT) return text
  let end = MAX_TEXT
  while (end > MAX_TEXT - 256 && !/\s/.test(text[end - 1]!)) end--
  return `${text.slice(0, end)}…`
}

/** `JSON.parse` quotes what it was given, to the end of its message. Searched, not matched: quotes may be many. */
function withoutQuotedJson(text: string): string {
  const ending = ' is not valid JSON'
  const end = text.lastIndexOf(ending)
  if (end === -1) return text
  const unexpected = text.indexOf('Unexpected ')
  const start = unexpected === -1 || unexpected > end ? text.indexOf('"') : unexpected
  if (start === -1 || start > end) return text
  return `${text.slice(0, start)}JSON: ${REDACTED} is not valid${text.slice(end + ending.length)}`
}

/** The text without what is plainly a secret. For values that the program chose to write: ids and digests stay. */
export function scrubText(text: string): string {
  let clean = bounded(text)
  for (const [pattern, replacement] of SHAPES) clean = clean.replace(pattern, replacement)
  return clean.replace(CARD_IN_TEXT, (digits) =>
    isCardNumber(digits.replace(/\D/g, '')) ? REDACTED : digits,
  )
}

/** The text without what may be a secret, words that look like keys included. For messages, and for what clients send. */
export function scrubForeign(text: string): string {
  let clean = withoutQuotedJson(bounded(text))
  for (const [pattern, replacement] of QUOTES) clean = clean.replace(pattern, replacement)
  return scrubText(clean).replace(KEY_WORD, (word) => (isKeyLike(word) ? REDACTED : word))
}

/**
 * A key as a whole word: base64 or base62 of 30 bytes and more, so capitals, small letters and digits in 40 characters or more. Ids
 * are shorter (UUID, nanoid, KSUID), in one case (commits, digests, pods), or say what they are of (`cs_live_…`).
 */
function isKeyLike(word: string): boolean {
  if (word.length < MIN_KEY || !/\d/.test(word) || !/[a-z]/.test(word) || !/[A-Z]/.test(word)) return false
  if (/^[a-z]{2,16}_(?:live|test)_[A-Za-z0-9]+$/.test(word)) return false
  // Words joined, as in the names of hosts, files and packages.
  return !word.split(/[-_~+=%]+/).every((part) => /^(?:[a-z]*|[A-Z]*|[A-Z][a-z]*|v?\d*)$/.test(part))
}

/**
 * The path of a URL as it may be written: no query, no user, no segment that may be a secret.
 *
 * @param params  of the route: the value of one with a telling name is left out
 */
export function scrubPath(path: string, params?: Readonly<Record<string, unknown>>): string {
  const known = path.length > MAX_TEXT ? `${path.slice(0, path.lastIndexOf('/', MAX_TEXT))}/…` : path
  let clean = /[^/]{20}|[:=%_.]|eyJ|AKIA/.test(known) ? scrubSegments(known) : known
  for (const name in params) {
    const value = params[name]
    if (typeof value === 'string' && value !== '' && isSecretParameter(name)) {
      clean = withoutSegments(withoutSegments(clean, value), encodeURIComponent(value))
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

/** What a parameter took of the path, one segment or several. Searched as text: a pattern of any length is refused. */
function withoutSegments(path: string, taken: string): string {
  const start = `${path}/`.indexOf(`/${taken}/`)
  return start === -1 ? path : `${path.slice(0, start)}/${REDACTED}${path.slice(start + 1 + taken.length)}`
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
