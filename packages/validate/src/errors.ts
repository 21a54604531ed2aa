import { ScaleError } from '@scale/core'
import type { IssueReport, ReportedIssue } from './issues/issues.js'
import type { Part } from './options.js'

/** The parts of a request that an error refuses, and how many issues they have. */
export interface Refusal {
  readonly parts: readonly Part[]
  readonly issues: number
}

/** A request does not match its schemas. `extensions.errors` says where and why, never with a received value. */
export class ValidationFailed extends ScaleError implements Refusal {
  readonly parts: readonly Part[]
  /** How many issues there are, also those that the answer leaves out. */
  readonly issues: number
  /** The issues that the answer lists. */
  readonly errors: readonly ReportedIssue[]

  constructor(report: IssueReport, status: 400 | 422) {
    const { errors, omitted } = report
    super('The request is not valid: see `errors`.', {
      code: 'ERR_SCALE_VALIDATION',
      status,
      extensions: omitted === 0 ? { errors } : { errors, omitted },
    })
    this.parts = report.parts
    this.issues = errors.length + omitted
    this.errors = errors
  }
}

/** The body has a media type that this route does not read. The `Accept` header names those that it does. */
export class UnsupportedBodyType extends ScaleError implements Refusal {
  readonly parts: readonly Part[] = ['body']
  readonly issues: number = 1

  constructor(bodyTypes: readonly string[]) {
    const named = bodyTypes.filter((type) => !type.includes('*'))
    const accept = (named.length > 0 ? named : bodyTypes).join(', ')
    super(`This route reads a body of type ${accept}.`, {
      code: 'ERR_SCALE_VALIDATION_BODY_TYPE',
      status: 415,
      headers: { Accept: accept },
    })
  }
}

/** The query string is longer, or has more parameters, than this route reads. */
export class QueryTooLarge extends ScaleError implements Refusal {
  readonly parts: readonly Part[] = ['query']
  readonly issues: number = 1

  constructor(limit: string) {
    super(`This route reads a query string of at most ${limit}.`, {
      code: 'ERR_SCALE_VALIDATION_QUERY_SIZE',
      status: 414,
    })
  }
}

/** A body came, but nothing has parsed it: no body parser runs before the validator. */
export class BodyNotParsed extends ScaleError {
  constructor(type: string) {
    super(
      `validate: a body of type ${type} came, but no parser has filled req.body. ` +
        `Mount one before the validator: app.use(express.json({ type: ['${type}'] })).`,
      { code: 'ERR_SCALE_VALIDATION_BODY_NOT_PARSED' },
    )
  }
}

/** A route for GET or HEAD has a schema for a body, which such a request does not have. */
export class BodyOnGet extends ScaleError {
  constructor() {
    super('validate: `body` was given for a GET or HEAD route. Use `query`, or another method.', {
      code: 'ERR_SCALE_VALIDATION_BODY_ON_GET',
    })
  }
}

/**
 * A response does not match its schema. Where and why is in the message and in `issues`, never with a value of the
 * response; the client is shown neither.
 */
export class ResponseMismatch extends ScaleError {
  /** At most 100; `omitted` counts the rest. */
  readonly issues: readonly Omit<ReportedIssue, 'in'>[]
  readonly omitted: number

  constructor(
    status: number,
    issues: readonly Omit<ReportedIssue, 'in'>[],
    omitted: number,
    cause?: unknown,
  ) {
    const named = issues.slice(0, 5).map(({ pointer, detail }) => `${pointer}: ${detail}`)
    const more = issues.length + omitted - named.length
    super(
      `validate: the response with status ${status} does not match its schema. ${named.join(' ')}` +
        (more === 0 ? '' : ` And ${more} more.`),
      { code: 'ERR_SCALE_VALIDATION_RESPONSE', cause },
    )
    this.issues = issues
    this.omitted = omitted
  }
}

/** A handler of `route` returned nothing and did not answer, though a response is declared. */
export class HandlerWithoutAnswer extends ScaleError {
  constructor() {
    super(
      'route: the handler returned undefined and has not answered. ' +
        'Return the body (or `{ status, body }`), or return `res` if it answers later through that.',
      { code: 'ERR_SCALE_VALIDATION_NO_ANSWER' },
    )
  }
}

/** The results of a validator were asked for on a request that it has not seen. */
export class NotValidated extends ScaleError {
  constructor(part: string) {
    super(
      `validate: \`${part}\` of this request was not validated. Mount the validator before the handler.`,
      {
        code: 'ERR_SCALE_VALIDATION_NOT_RUN',
      },
    )
  }
}

/** A schema cannot be shown as JSON Schema. */
export class JsonSchemaUnavailable extends ScaleError {
  constructor(where: string, vendor: string, cause?: unknown) {
    super(
      cause === undefined
        ? `jsonSchemas: ${where}: this schema of ${vendor} has no \`~standard.jsonSchema\`. ` +
            'Use a library that has it (zod from 4.2, arktype), or its adapter (@valibot/to-json-schema).'
        : `jsonSchemas: ${where}: ${vendor} cannot show this schema as JSON Schema; see \`cause\`.`,
      { code: 'ERR_SCALE_VALIDATION_JSON_SCHEMA', cause },
    )
  }
}
