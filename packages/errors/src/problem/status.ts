/** Every error status of the IANA registry, with its phrase in RFC 9110. Node still has older phrases for two. */
export const phrases = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
} as const

/** An error status of the IANA registry. */
export type ErrorStatus = keyof typeof phrases

/** True for an integer that can be the status of an error: 400–599, registered or not. */
export function isErrorStatus(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599
}

/** `Not Found` for 404; for a status that is not registered, what its class means (RFC 9110 §15). */
export function phraseOf(status: number): string {
  return phrases[status as ErrorStatus] ?? (status < 500 ? 'Client Error' : 'Server Error')
}

/** `NOT_FOUND` for 404. */
export function codeOf(status: number): string {
  return phraseOf(status).toUpperCase().replaceAll(' ', '_')
}

/** What may be said of any failure with this status, when the error says nothing that may be shown. */
export function sentenceFor(status: number): string {
  switch (status) {
    case 501:
      return 'This is not implemented.'
    case 502:
      return 'A service that this one depends on gave no usable answer.'
    case 503:
      return 'The service cannot answer now. Try again later.'
    case 504:
      return 'The answer took too long. Try again later.'
    default:
      return status < 500
        ? `The request was refused: ${phraseOf(status)}.`
        : 'The server failed to answer this request.'
  }
}
