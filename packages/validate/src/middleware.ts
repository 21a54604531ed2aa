import { contract, type Next } from '@scale/core'
import type { Request, Response } from 'express'
import { contractOf } from './contract.js'
import { NotValidated, QueryTooLarge, UnsupportedBodyType, ValidationFailed } from './errors.js'
import { type PartFailure, reportIssues } from './issues/issues.js'
import { type Part, type Rules, resolveRules, type ValidateOptions } from './options.js'
import { type Check, checkParts, failuresOf, type PartReader, partReaders } from './request/check.js'
import { publishRejected } from './request/rejection.js'
import { type ResponseGuard, responseGuard } from './response.js'
import type { MaybeSchema, Validator } from './schema/valid.js'

/**
 * Middleware that checks the parts of a request against schemas and puts what the schemas make of them on
 * `req.valid`. Nothing else on `req` changes. Issues of all parts go to `next` together, as one error.
 *
 * With schemas that answer at once, so does the middleware: `next` is called in the same tick.
 *
 * @param options  at least one schema; the defaults of the rest are safe
 * @throws {InvalidOption} an option is unknown or wrong, or there is no schema
 * @see docs/concepts/validation.md
 */
export function validate<
  Body extends MaybeSchema = undefined,
  Query extends MaybeSchema = undefined,
  Params extends MaybeSchema = undefined,
  Headers extends MaybeSchema = undefined,
  Cookies extends MaybeSchema = undefined,
>(
  options: ValidateOptions<Body, Query, Params, Headers, Cookies>,
): Validator<Body, Query, Params, Headers, Cookies> {
  const validator: unknown = createValidator(resolveRules('validate', options))
  return validator as Validator<Body, Query, Params, Headers, Cookies>
}

/** The validator for checked options. */
export function createValidator(rules: Rules): Validator {
  const readers = partReaders(rules)
  const guard = responseGuard(rules)

  function validate(req: Request, res: Response, next: Next): void {
    let check: Check | Promise<Check>
    try {
      check = checkParts(readers, req)
    } catch (error) {
      if (error instanceof UnsupportedBodyType || error instanceof QueryTooLarge) publishRejected(req, error)
      next(error)
      return
    }
    const settle = (checked: Check): void => {
      const failures = failuresOf(readers, checked)
      if (failures === undefined) accept(readers, guard, checked, req, res, next)
      else refuse(rules, failures, req, next)
    }
    if (check instanceof Promise) check.then(settle, next)
    else settle(check)
  }

  function valid(req: { valid?: Partial<Record<Part, unknown>> }): unknown {
    for (const { part } of readers) {
      if (req.valid === undefined || !Object.hasOwn(req.valid, part)) throw new NotValidated(part)
    }
    return req.valid
  }

  return Object.assign(validate, { valid, [contract]: contractOf(rules) }) as unknown as Validator
}

function refuse(rules: Rules, failures: PartFailure[], req: Request, next: Next): void {
  const error = new ValidationFailed(reportIssues(failures, rules.maxIssues), rules.status)
  publishRejected(req, error)
  next(error)
}

function accept(
  readers: readonly PartReader[],
  guard: ResponseGuard | undefined,
  check: Check,
  req: Request,
  res: Response,
  next: Next,
): void {
  const valid: Record<string, unknown> = { ...req.valid }
  for (const [index, { part }] of readers.entries()) {
    valid[part] = merged(valid[part], (check.results[index] as { value: unknown }).value)
  }
  req.valid = valid as unknown as Request['valid']
  guard?.(req, res, next)
  next()
}

/** Two validators of one part add up where both made an object, as those of a router and of its route do. */
function merged(earlier: unknown, later: unknown): unknown {
  return isPlainObject(earlier) && isPlainObject(later) ? { ...earlier, ...later } : later
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
