import { type ErrorStatus, phraseOf } from '../problem/status.js'
import { AppError, type AppErrorInit } from './app-error.js'

/** A class of `AppError` whose status is fixed. */
export interface AppErrorClass {
  /** @param detail  one or two sentences for the client. Default: a sentence for the status */
  new (detail?: string, init?: AppErrorInit): AppError
  readonly prototype: AppError
}

/** 400: the request is wrong in a way that no other status names. */
export const BadRequest: AppErrorClass = withStatus(400)
/** 401: no valid credentials came. Give `WWW-Authenticate` in `headers`. */
export const Unauthorized: AppErrorClass = withStatus(401)
/** 402: reserved by the standard; used by APIs that are paid for. */
export const PaymentRequired: AppErrorClass = withStatus(402)
/** 403: whoever asks is known, and may not. */
export const Forbidden: AppErrorClass = withStatus(403)
/** 404: there is no such thing, or this client may not know that there is. */
export const NotFound: AppErrorClass = withStatus(404)
/** 405: the resource has no such method. Give `Allow` in `headers`; `methodNotAllowed()` does. */
export const MethodNotAllowed: AppErrorClass = withStatus(405)
/** 406: there is no representation that the client accepts. */
export const NotAcceptable: AppErrorClass = withStatus(406)
/** 408: the client took too long to send its request. */
export const RequestTimeout: AppErrorClass = withStatus(408)
/** 409: the state of the resource does not permit it now. */
export const Conflict: AppErrorClass = withStatus(409)
/** 410: it was here, and is gone for good. */
export const Gone: AppErrorClass = withStatus(410)
/** 411: the request needs a `Content-Length`. */
export const LengthRequired: AppErrorClass = withStatus(411)
/** 412: `If-Match` or another precondition does not hold. */
export const PreconditionFailed: AppErrorClass = withStatus(412)
/** 413: the body is too large. */
export const ContentTooLarge: AppErrorClass = withStatus(413)
/** 414: the address is too long. */
export const URITooLong: AppErrorClass = withStatus(414)
/** 415: the body has a media type or an encoding that is not read here. */
export const UnsupportedMediaType: AppErrorClass = withStatus(415)
/** 416: the range lies outside. Give `Content-Range` in `headers`. */
export const RangeNotSatisfiable: AppErrorClass = withStatus(416)
/** 422: the body is well formed, and its content is not valid. */
export const UnprocessableContent: AppErrorClass = withStatus(422)
/** 423: the resource is locked. */
export const Locked: AppErrorClass = withStatus(423)
/** 424: something that this request depends on failed before. */
export const FailedDependency: AppErrorClass = withStatus(424)
/** 425: sent as early data, and may be a replay. */
export const TooEarly: AppErrorClass = withStatus(425)
/** 426: only with another protocol. Give `Upgrade` in `headers`. */
export const UpgradeRequired: AppErrorClass = withStatus(426)
/** 428: the change needs a precondition such as `If-Match`, lest it overwrite another. */
export const PreconditionRequired: AppErrorClass = withStatus(428)
/** 429: too many requests. Give `retryAfterMs`. */
export const TooManyRequests: AppErrorClass = withStatus(429)
/** 431: a header, or all of them together, is too large. */
export const RequestHeaderFieldsTooLarge: AppErrorClass = withStatus(431)
/** 451: withheld for legal reasons. */
export const UnavailableForLegalReasons: AppErrorClass = withStatus(451)
/** 500: a fault of the server that no other status names. */
export const InternalServerError: AppErrorClass = withStatus(500)
/** 501: not implemented. */
export const NotImplemented: AppErrorClass = withStatus(501)
/** 502: a service behind this one gave no usable answer. */
export const BadGateway: AppErrorClass = withStatus(502)
/** 503: not now. Give `retryAfterMs`. */
export const ServiceUnavailable: AppErrorClass = withStatus(503)
/** 504: a service behind this one did not answer in time. */
export const GatewayTimeout: AppErrorClass = withStatus(504)
/** 507: there is no room to store it. */
export const InsufficientStorage: AppErrorClass = withStatus(507)

/** The class is named after the phrase: `NotFound` for 404. */
function withStatus(status: ErrorStatus): AppErrorClass {
  const name = phraseOf(status).replaceAll(' ', '')
  const named = {
    [name]: class extends AppError {
      constructor(detail?: string, init?: AppErrorInit) {
        super(status, detail, init)
      }
    },
  }
  return named[name]!
}
