export {
  type AddressBits,
  type AddressedRequest,
  addressGroup,
  type ClientAddress,
  clientAddress,
  formatAddress,
  isIpv4,
  parseAddress,
} from './address.js'
export { type Channel, channel } from './channels.js'
export {
  type ComposedMiddleware,
  compose,
  type Middleware,
  type Next,
  prefetch,
} from './compose.js'
export {
  contract,
  joinContracts,
  type MiddlewareContract,
  type ProblemContract,
  type QuotaContract,
  type SecurityContract,
} from './contract.js'
export {
  InvalidOption,
  MemoryStoreRefused,
  ScaleError,
  type ScaleErrorInit,
} from './errors.js'
export { assertMemoryStoreAllowed } from './memory-store.js'
export {
  anyOf,
  anything,
  arrayOf,
  boolean,
  durationMs,
  func,
  integer,
  number,
  type OptionCheck,
  type OptionChecks,
  object,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from './options.js'
export { randomText } from './random.js'
export { type CutCause, cutConnection } from './request/connection.js'
export { type RequestContext, requestContext, runInRequestContext } from './request/context.js'
export { requestDeadline } from './request/deadline.js'
export type { Ending } from './request/ending.js'
export { type RequestRecord, requestRecord } from './request/record.js'
export { type RoutedRequest, routeTemplate } from './request/route-template.js'
export { type RequestSlot, requestSlot } from './request/slot.js'
export { type Schema, type SchemaIssue, type SchemaResult, standardSchema } from './schema.js'
export {
  formatStructuredString,
  parseStructuredDictionary,
  parseStructuredItem,
  parseStructuredList,
  type StructuredInnerList,
  type StructuredItem,
  type StructuredMember,
  type StructuredParameters,
  type StructuredValue,
} from './structured-fields.js'
