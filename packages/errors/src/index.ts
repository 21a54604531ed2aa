export type { ErrorRequest } from './answer/request.js'
export { AppError, type AppErrorInit } from './app-error/app-error.js'
export {
  definedProblems,
  defineProblem,
  type ExtensionsSchema,
  type ProblemClass,
  type ProblemDefinition,
  type ProblemInit,
} from './app-error/define-problem.js'
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
} from './app-error/status-errors.js'
export {
  type FailureMessage,
  type FailureOutcome,
  type FatalMessage,
  failureChannel,
  fatalChannel,
} from './channels.js'
export { FatalInstalled, InvalidExtensions, MethodsUnknown } from './errors.js'
export { onFatal } from './fatal.js'
export { asyncHandler } from './handlers/async-handler.js'
export { methodNotAllowed } from './handlers/method-not-allowed.js'
export { notFound, type PlainMiddleware } from './handlers/not-found.js'
export { type ErrorMiddleware, errorHandler } from './middleware.js'
export {
  type ErrorHandlerOptions,
  errorHandlerDefaults,
  type FatalOptions,
  fatalDefaults,
} from './options.js'
export type { ProblemBody } from './problem/problem.js'
export type { ErrorStatus } from './problem/status.js'
