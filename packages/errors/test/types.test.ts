import type { ErrorRequestHandler, RequestHandler } from 'express'
import { expectTypeOf, it } from 'vitest'
import type {
  ErrorRequestHandler as ErrorRequestHandler4,
  RequestHandler as RequestHandler4,
} from '../node_modules/@types/express4/index.d.ts'
import { errorHandler, methodNotAllowed, notFound } from '../src/index.js'

it('is middleware to the types of both majors', () => {
  expectTypeOf(errorHandler()).toExtend<ErrorRequestHandler>()
  expectTypeOf(errorHandler()).toExtend<ErrorRequestHandler4>()
  expectTypeOf(notFound()).toExtend<RequestHandler>()
  expectTypeOf(methodNotAllowed()).toExtend<RequestHandler4>()
})
