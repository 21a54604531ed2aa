import { entriesOf, property, textProperty } from '../../property.js'

/** Where clients keep what they asked and were answered, and what only their errors have. */
const OBJECTS = ['request', 'config', 'raw', 'rawError', '$metadata', '$response', 'httpResponse']
const FLAGS = ['isAxiosError', '$fault', 'moreInfo', '__isAuthError', '__isStorageError']

/** True for an error of an HTTP client or an SDK. */
export function isOfHttpClient(thrown: unknown): boolean {
  return (
    isWhole(property(thrown, 'headers')) ||
    isObject(property(property(thrown, 'response'), 'headers')) ||
    OBJECTS.some((name) => isObject(property(thrown, name))) ||
    FLAGS.some((name) => Boolean(property(thrown, name))) ||
    (textProperty(thrown, 'code') ?? '').startsWith('UND_ERR_')
  )
}

/**
 * True for the headers of a response that came. An error for a client has one or two in a plain object; whoever answers
 * says when (RFC 9110 §6.6.1) or what.
 */
function isWhole(headers: unknown): boolean {
  if (typeof property(headers, 'get') === 'function') return true
  return entriesOf(headers).some(([name]) =>
    /^(?:date|server|connection|content-(?:type|length))$/i.test(name),
  )
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
