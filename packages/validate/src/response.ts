import type { Next } from '@scale/core'
import type { Request, Response } from 'express'
import { responseFailure } from './channels.js'
import { ResponseMismatch } from './errors.js'
import { describeIssues, type ReportedIssue } from './issues/issues.js'
import type { ResponseKey, ResponseMap, ResponseMode, Rules } from './options.js'
import { routePath } from './request/route-path.js'
import type { Schema, SchemaIssue, SchemaResult } from './schema/schema.js'

/** Makes the next `res.json` of this response check its body first. */
export type ResponseGuard = (req: Request, res: Response, next: Next) => void

/**
 * The guard of a route's responses. It covers what leaves through `res.json`, and through `res.send` of an object;
 * text, buffers and streams pass.
 *
 * @returns `undefined` if there is nothing to guard
 */
export function responseGuard(rules: Pick<Rules, 'response' | 'responseMode'>): ResponseGuard | undefined {
  const { response: schemas, responseMode: mode } = rules
  if (schemas === undefined || mode === 'off') return undefined

  return function guardResponse(req, res, next) {
    const send = res.json

    function fail(
      body: unknown,
      issues: readonly SchemaIssue[],
      { cause, schema }: { cause?: unknown; schema?: Schema } = {},
    ): Response {
      const described = describeIssues(issues.slice(0, MAX_ISSUES), body, schema)
      const omitted = issues.length - described.length
      publishFailure(req, res.statusCode, mode as FailureMode, described, omitted)
      if (mode === 'log') return send.call(res, body)
      // The error handler may answer with `res.json` too, and its answer is not this route's.
      res.json = send
      next(new ResponseMismatch(res.statusCode, described, omitted, cause))
      return res
    }

    function settle(body: unknown, result: SchemaResult, schema?: Schema): Response {
      if (result.issues !== undefined) return fail(body, result.issues, schema && { schema })
      return send.call(res, mode === 'strip' ? result.value : body)
    }

    res.json = function json(body?: unknown): Response {
      const schema = schemaFor(schemas, res.statusCode)
      if (schema === undefined || (mode === 'log' && !responseFailure.hasSubscribers)) {
        return send.call(res, body)
      }
      if (schema === null) return fail(body, [{ message: 'This status is declared without a body.' }])
      if (schema === 'undeclared') return fail(body, [{ message: 'This status is not declared.' }])
      let result: SchemaResult | Promise<SchemaResult>
      try {
        result = schema['~standard'].validate(body)
      } catch (error) {
        return fail(body, [threw], { cause: error })
      }
      if (!(result instanceof Promise)) return settle(body, result, schema)
      answering.add(res)
      result
        .then(
          (settled) => settle(body, settled),
          (error) => fail(body, [threw], { cause: error }),
        )
        .catch(next)
      return res
    }
  }
}

/** Responses whose body an async schema is still looking at: answered, though nothing has left yet. */
const answering = new WeakSet<Response>()

/** True if an answer has begun, or has been given to a schema that takes its time. */
export function hasAnswer(res: Response): boolean {
  return res.headersSent || res.writableEnded || answering.has(res)
}

type FailureMode = Exclude<ResponseMode, 'off'>

const threw: SchemaIssue = { message: 'The schema threw an error.' }

/**
 * The schema of a status: the number's own, else its class's, else the default. A success that is not declared
 * breaks the contract; an error that is not declared is the error handler's business.
 */
export function schemaFor(schemas: ResponseMap, status: number): Schema | null | undefined | 'undeclared' {
  const keys: ResponseKey[] = [status, `${Math.floor(status / 100)}XX` as ResponseKey, 'default']
  const key = keys.find((candidate) => schemas[candidate] !== undefined)
  if (key !== undefined) return schemas[key]
  return status >= 200 && status < 300 ? 'undeclared' : undefined
}

const MAX_ISSUES = 100

function publishFailure(
  req: Request,
  status: number,
  mode: FailureMode,
  issues: readonly Omit<ReportedIssue, 'in'>[],
  omitted: number,
): void {
  if (!responseFailure.hasSubscribers) return
  responseFailure.publish({ status, mode, issues, omitted, method: req.method, route: routePath(req) })
}
