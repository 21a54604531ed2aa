export { contract } from '@scale/core'
export {
  type RejectedMessage,
  type ResponseFailureMessage,
  rejected,
  responseFailure,
} from './channels.js'
export type { Contracted, RouteContract } from './contract.js'
export {
  BodyNotParsed,
  BodyOnGet,
  HandlerWithoutAnswer,
  JsonSchemaUnavailable,
  NotValidated,
  QueryTooLarge,
  type Refusal,
  ResponseMismatch,
  UnsupportedBodyType,
  ValidationFailed,
} from './errors.js'
export type { ReportedIssue } from './issues/issues.js'
export { validate } from './middleware.js'
export type {
  DuplicatePolicy,
  Part,
  ResponseKey,
  ResponseMap,
  ResponseMode,
  ValidateOptions,
} from './options.js'
export {
  type ProblemKind,
  type Route,
  type RouteHandler,
  type RouteInput,
  type RouteOptions,
  type RouteOutput,
  route,
} from './route.js'
export {
  type JsonSchema,
  type JsonSchemaOptions,
  type JsonSchemas,
  jsonSchemas,
} from './schema/json-schema.js'
export type { InputOf, OutputOf, Schema } from './schema/schema.js'
export type {
  Marked,
  MaybeSchema,
  Results,
  Valid,
  Validator,
  ValidParts,
  ValidRequest,
} from './schema/valid.js'
