/** A value that does not fit, as Standard Schema reports it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a validation gives: the value, perhaps changed, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/**
 * Any Standard Schema (zod, valibot, arktype and others), by shape.
 *
 * @see https://standardschema.dev
 */
export interface Schema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** Checks an option that takes a schema. */
export function standardSchema(value: unknown): string | undefined {
  const isSchema =
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as Partial<Schema>)['~standard']?.validate === 'function'
  return isSchema ? undefined : 'a Standard Schema, such as a zod object'
}
