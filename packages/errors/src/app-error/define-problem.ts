import { InvalidOption, type OptionCheck, resolveOptions, string } from '@scale/core'
import { InvalidExtensions } from '../errors.js'
import { isCode, isProblemType } from '../problem/problem.js'
import { type ErrorStatus, isErrorStatus } from '../problem/status.js'
import { AppError, type AppErrorInit } from './app-error.js'
import { pointerTo } from './pointer.js'

/**
 * A schema for extension members, of any library that implements Standard Schema (zod, valibot, arktype), by the
 * part of that interface that is used here. It must answer at once.
 *
 * @see https://standardschema.dev
 */
export interface ExtensionsSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly validate: (value: unknown) => unknown
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined
  }
}

/** One kind of problem, RFC 9457 §4. */
export interface ProblemDefinition<
  Schema extends ExtensionsSchema | undefined = ExtensionsSchema | undefined,
> {
  /** Absolute URI, or path on this server, that names the kind and best leads to a page about it. Unique. */
  type: string
  /** The kind in a few words, the same for each occurrence. */
  title: string
  /** Status of the answer. */
  status: ErrorStatus
  /** Stable name for clients to branch on, such as `OUT_OF_STOCK`. Unique. */
  code: string
  /** What the extension members look like. Default none */
  extensions?: Schema
}

/** What a problem is thrown with. `extensions` is required where its kind has a schema for them. */
export type ProblemInit<Schema> = Omit<AppErrorInit, 'code' | 'type' | 'title' | 'extensions'> &
  (Schema extends ExtensionsSchema ? { extensions: InputOf<Schema> } : { extensions?: never })

type InputOf<Schema extends ExtensionsSchema> = NonNullable<Schema['~standard']['types']>['input'] &
  Readonly<Record<string, unknown>>

/** The class of one kind of problem. */
export interface ProblemClass<Schema extends ExtensionsSchema | undefined = undefined> {
  /**
   * @param detail  this occurrence, in words for the client; shown below status 500
   * @throws {InvalidExtensions} the extension members do not fit their schema
   */
  new (
    detail?: string,
    ...init: Schema extends ExtensionsSchema ? [init: ProblemInit<Schema>] : [init?: ProblemInit<Schema>]
  ): AppError
  readonly prototype: AppError
  /** What `defineProblem` was given. */
  readonly definition: Readonly<ProblemDefinition<Schema>>
}

const registry = new Map<string, Readonly<ProblemDefinition>>()

/** All kinds of problem that this process has defined, in order of definition: for documentation and OpenAPI. */
export function definedProblems(): readonly Readonly<ProblemDefinition>[] {
  return [...registry.values()]
}

/**
 * Defines a kind of problem once, to throw it anywhere.
 *
 * @throws {InvalidOption} a member is missing or wrong, or its code or type stands for another kind already
 * @example const OutOfStock = defineProblem({ type: '/problems/out-of-stock', title: 'Out of stock', status: 409, code: 'OUT_OF_STOCK' })
 */
export function defineProblem<Schema extends ExtensionsSchema | undefined = undefined>(
  definition: ProblemDefinition<Schema>,
): ProblemClass<Schema> {
  const checked = resolveOptions<ProblemDefinition<Schema>, Record<never, never>>(
    'defineProblem',
    definition,
    {
      checks,
      defaults: {},
      required: ['type', 'title', 'status', 'code'],
    },
  ) as Readonly<ProblemDefinition<Schema>>
  register(checked)
  const { status, code, type, title } = checked

  class Problem extends AppError {
    static readonly definition: Readonly<ProblemDefinition<Schema>> = checked

    constructor(detail?: string, init: AppErrorInit = {}) {
      super(status, detail ?? title, { ...init, code, type, title, ...extensionsOf(checked, init) })
    }
  }
  return Object.defineProperty(Problem, 'name', { value: code }) as unknown as ProblemClass<Schema>
}

const checks: Record<keyof ProblemDefinition, OptionCheck> = {
  type: (value) =>
    isProblemType(value) && value !== 'about:blank'
      ? undefined
      : 'an absolute URI of its own, or a path that starts with /',
  title: string(1, 256),
  status: (value) => (isErrorStatus(value) ? undefined : 'an integer from 400 to 599'),
  code: (value) =>
    isCode(value) ? undefined : 'upper-case letters, digits and `_`, first a letter, up to 128',
  extensions: (value) =>
    typeof (value as Partial<ExtensionsSchema> | null)?.['~standard']?.validate === 'function'
      ? undefined
      : 'a schema that implements Standard Schema',
}

/** The same definition twice is harmless: a module may be loaded twice. */
function register(definition: Readonly<ProblemDefinition>): void {
  for (const other of registry.values()) {
    const isSame = (['type', 'title', 'status', 'code'] as const).every(
      (name) => other[name] === definition[name],
    )
    if (isSame) continue
    for (const name of ['code', 'type'] as const) {
      if (other[name] !== definition[name]) continue
      throw new InvalidOption(
        `defineProblem: \`${name}\` ${definition[name]} stands for another problem already.`,
      )
    }
  }
  registry.set(definition.code, definition)
}

function extensionsOf(
  { code, extensions: schema }: Readonly<ProblemDefinition>,
  { extensions, cause }: AppErrorInit,
): Pick<AppErrorInit, 'extensions'> {
  if (schema === undefined) return {}
  const result = schema['~standard'].validate(extensions) as {
    value?: Readonly<Record<string, unknown>>
    issues?: readonly { path?: unknown }[]
  }
  if (result instanceof Promise)
    throw new InvalidExtensions(code, ['the schema must not be asynchronous'], cause)
  if (result.issues) {
    throw new InvalidExtensions(
      code,
      result.issues.map(({ path }) => pointerTo(path)),
      cause,
    )
  }
  return { extensions: result.value! }
}
