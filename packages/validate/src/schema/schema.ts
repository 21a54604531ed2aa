import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

/**
 * A schema of any library that implements Standard Schema: zod, valibot, arktype and more.
 *
 * @see https://standardschema.dev
 */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

/** One finding of a schema library. */
export type SchemaIssue = StandardSchemaV1.Issue

/** What a schema says of a value. */
export type SchemaResult = StandardSchemaV1.Result<unknown>

/** What a schema accepts; `never` for anything that is no schema. */
export type InputOf<S> = S extends Schema ? StandardSchemaV1.InferInput<S> : never

/** What a schema makes of what it accepts; `never` for anything that is no schema. */
export type OutputOf<S> = S extends Schema ? StandardSchemaV1.InferOutput<S> : never

/** True for an object or function that carries version 1 of the standard. */
export function isSchema(value: unknown): value is Schema {
  const standard = (value as Partial<Schema> | null | undefined)?.['~standard']
  return standard?.version === 1 && typeof standard.validate === 'function'
}

/** The library's own converter to JSON Schema, where it has one. */
export function jsonSchemaConverter(schema: Schema): StandardJSONSchemaV1.Converter | undefined {
  return (schema['~standard'] as Partial<StandardJSONSchemaV1.Props>).jsonSchema
}
