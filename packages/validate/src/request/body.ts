import type { Request } from 'express'
import { BodyNotParsed, BodyOnGet, UnsupportedBodyType } from '../errors.js'
import type { Rules } from '../options.js'
import { type ArrayMembers, arrayMembers } from '../schema/array-members.js'
import { Tentative } from '../schema/arrays-by-trial.js'
import type { Schema } from '../schema/schema.js'
import { Fault } from './fault.js'
import { once } from './once.js'

/**
 * What the schema of the body is given: `req.body`, or `undefined` if the request has no body.
 *
 * A GET or HEAD request has none, whatever it carries (RFC 9110 §9.3.1), nor has one of length zero, though a
 * parser makes `{}` of that.
 *
 * @returns a `Fault` if the body nests too deep or has a member `__proto__`
 * @throws {UnsupportedBodyType} the type is not one of `bodyTypes`, or no parser reads it
 * @throws {BodyNotParsed} no parser is mounted for a type that `bodyTypes` names
 * @throws {BodyOnGet} the validator stands in a GET or HEAD route
 */
export type BodyReader = (req: Request) => unknown

/**
 * Compiles `bodyTypes` once.
 *
 * @param schema  asked at the first form for the fields that are arrays however often they come
 */
export function bodyReader(
  rules: Pick<Rules, 'bodyTypes' | 'maxBodyDepth'>,
  schema: Schema | undefined,
): BodyReader {
  const { bodyTypes, maxBodyDepth } = rules
  const accepted = new RegExp(`^(?:${bodyTypes.map(pattern).join('|')})$`)

  const arraysOf = once(arrayMembers)

  return function readBody(req) {
    if (req.method === 'GET' || req.method === 'HEAD') {
      if (isRouteForGet(req)) throw new BodyOnGet()
      return undefined
    }
    if (!hasBody(req)) return undefined
    const type = mediaType(req)
    if (!accepted.test(type)) throw new UnsupportedBodyType(bodyTypes)
    if (isUnparsed(req)) {
      throw isPlainlyNamed(req, bodyTypes) ? new BodyNotParsed(type) : new UnsupportedBodyType(bodyTypes)
    }
    const fault = faultOf(req.body, maxBodyDepth)
    if (fault !== undefined || schema === undefined || !forms.has(type)) return fault ?? req.body
    if (typeof req.body !== 'object' || req.body === null || Array.isArray(req.body)) return req.body
    const arrays = arraysOf(schema)
    return arrays === undefined ? new Tentative(req.body) : withArrays(req.body, arrays)
  }
}

const forms = new Set(['application/x-www-form-urlencoded', 'multipart/form-data'])

/** A form says nothing of a field that comes once: where only an array will do, it is one. `req.body` stays. */
function withArrays(body: object, arrays: ArrayMembers): object {
  const single = Object.entries(body).filter(
    ([name, value]) => typeof value === 'string' && arrays.get(name) === 'always',
  )
  return single.length === 0 ? body : { ...body, ...Object.fromEntries(single.map(([n, v]) => [n, [v]])) }
}

function pattern(type: string): string {
  return type
    .toLowerCase()
    .replace(/[.+^$|]/g, '\\$&')
    .replaceAll('*', '[^/]+')
}

/** The type without its parameters, in lower case; empty if there is none. */
function mediaType(req: Request): string {
  const header = req.headers['content-type'] ?? ''
  if (header === 'application/json') return header
  const end = header.indexOf(';')
  return (end === -1 ? header : header.slice(0, end)).trim().toLowerCase()
}

/** RFC 9112 §6.3; a chunked body that turned out empty is none. */
function hasBody(req: Request): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return req.readableDidRead || !req.readableEnded
  return Number(req.headers['content-length']) > 0
}

/** Express 5 leaves `req.body` undefined, the parsers of Express 4 make it `{}` and leave the stream unread. */
function isUnparsed(req: Request): boolean {
  if (req.body === undefined) return true
  return (
    !req.readableDidRead && typeof req.body === 'object' && Object.keys(req.body ?? { a: 1 }).length === 0
  )
}

/**
 * True if the type is one that `bodyTypes` names outright, in a spelling that no parser can read differently.
 * Only then is a missing parser the app's mistake; else a client could choose a type that is accepted here and
 * read by no parser, and get a 500 at will.
 */
function isPlainlyNamed(req: Request, bodyTypes: readonly string[]): boolean {
  const header = req.headers['content-type']?.toLowerCase().replace(/; ?charset=utf-8$/, '')
  return bodyTypes.some((type) => type.toLowerCase() === header)
}

/** True in a route that serves no other method: behind `app.all` and `app.use` a GET is the client's choice. */
function isRouteForGet(req: Request): boolean {
  const methods = Object.keys(req.route?.methods ?? {})
  return methods.length > 0 && methods.every((method) => method === 'get' || method === 'head')
}

/** JSON and form parsers keep a member `__proto__`; some schema libraries pass it on, and a later copy obeys it. */
function faultOf(value: unknown, levelsLeft: number): Fault | undefined {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined
  if (levelsLeft === 0) return new Fault([], 'Nests too deep.')
  if (Array.isArray(value)) {
    for (const element of value) {
      const fault = faultOf(element, levelsLeft - 1)
      if (fault !== undefined) return fault
    }
    return undefined
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return new Fault([], 'Has a member named __proto__.')
    const fault = faultOf((value as Record<string, unknown>)[name], levelsLeft - 1)
    if (fault !== undefined) return fault
  }
  return undefined
}
