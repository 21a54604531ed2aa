import { contract } from '@scale/core'
import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import type { Contracted } from '../contract.js'
import { JsonSchemaUnavailable } from '../errors.js'
import { type Part, parts } from '../options.js'
import { jsonSchemaConverter, type Schema } from './schema.js'

/** A JSON Schema document. */
export type JsonSchema = Record<string, unknown>

/** The JSON Schemas of a route. */
export interface JsonSchemas extends Partial<Record<Part, JsonSchema>> {
  /** By status, class of status (`2XX`) or `default`; `null` where there is no body. */
  response?: Record<string, JsonSchema | null>
}

/** How schemas are converted. */
export interface JsonSchemaOptions {
  /** Dialect; which ones there are is the library's choice. Default `'draft-2020-12'` */
  target?: StandardJSONSchemaV1.Target
  /** Passed to the library's converter, such as zod's `{ unrepresentable: 'any' }`. */
  libraryOptions?: Record<string, unknown>
}

/**
 * The JSON Schemas of a validator or a route: of the request what the schemas accept, of the responses what the
 * client gets to see.
 *
 * @throws {JsonSchemaUnavailable} a schema has no converter, or its converter gave up
 * @see https://standardschema.dev/json-schema
 */
export function jsonSchemas(source: Contracted, options: JsonSchemaOptions = {}): JsonSchemas {
  const { [contract]: promised } = source
  const schemas: JsonSchemas = {}
  for (const part of parts) {
    const schema = promised[part]
    if (schema !== undefined) schemas[part] = convert(part, schema, 'input', options)
  }
  if (promised.response !== undefined) {
    const side = promised.responseMode === 'strip' ? 'output' : 'input'
    schemas.response = Object.fromEntries(
      Object.entries(promised.response).map(([status, schema]) => [
        status,
        schema ? convert(`response ${status}`, schema, side, options) : null,
      ]),
    )
  }
  return schemas
}

function convert(
  where: string,
  schema: Schema,
  side: 'input' | 'output',
  options: JsonSchemaOptions,
): JsonSchema {
  const { target = 'draft-2020-12', libraryOptions } = options
  const { vendor } = schema['~standard']
  const converter = jsonSchemaConverter(schema)
  if (converter === undefined) throw new JsonSchemaUnavailable(where, vendor)
  try {
    return converter[side](libraryOptions === undefined ? { target } : { target, libraryOptions })
  } catch (error) {
    throw new JsonSchemaUnavailable(where, vendor, error)
  }
}
