export { AppError, type AppErrorInit } from './app-error.js'
export { asyncHandler } from './async-handler.js'
export {
  type FailureMessage,
  type FailureOutcome,
  type FatalMessage,
  failureChannel,
  fatalChannel,
} from './channels.js'
export {
  definedProblems,
  defineProblem,
  type ExtensionsSchema,
  type ProblemClass,
  type ProblemDefinition,
  type ProblemInit,
} from './define-problem.js'
export { FatalInstalled, InvalidExtensions, MethodsUnknown } from './errors.js'
export { onFatal } from './fatal.js'
export { methodNotAllowed } from './method-not-allowed.js'
export { type ErrorMiddleware, errorHandler } from './middleware.js'
export { notFound, type PlainMiddleware } from './not-found.js'
export {
  type ErrorHandlerOptions,
  errorHandlerDefaults,
  type FatalOptions,
  fatalDefaults,
} from './options.js'
export type { ProblemBody } from './problem.js'
export type { ErrorRequest } from './request.js'
export type { ErrorStatus } from './status.js'
export {
  type AppErrorClass,
  BadGateway,
  BadRequest,
  Conflict,
  ContentTooLarge,
  FailedDependency,
  Forbidden,
  GatewayTimeout,
  Gone,
  InsufficientStorage,
  InternalServerError,
  LengthRequired,
  Locked,
  MethodNotAllowed,
  NotAcceptable,
  NotFound,
  NotImplemented,
  PaymentRequired,
  PreconditionFailed,
  PreconditionRequired,
  RangeNotSatisfiable,
  RequestHeaderFieldsTooLarge,
  RequestTimeout,
  ServiceUnavailable,
  TooEarly,
  TooManyRequests,
  Unauthorized,
  UnavailableForLegalReasons,
  UnprocessableContent,
  UnsupportedMediaType,
  UpgradeRequired,
  URITooLong,
} from './status-errors.js'
