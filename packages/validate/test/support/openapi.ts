import type { OpenAPIV3 } from 'express-openapi-validator/dist/framework/types.js'
import { type Contracted, contract, jsonSchemas, type RouteContract } from '../../src/index.js'

type Operation = OpenAPIV3.OperationObject
type Json = OpenAPIV3.SchemaObject

/** An OpenAPI document of one route, from what can be read of it and nothing else. */
export function documentOf(method: 'post', path: string, route: Contracted): object {
  const promised = route[contract]
  const { body, response = {}, ...parts } = jsonSchemas(route)
  const operation: Operation = {
    parameters: Object.entries(parts).flatMap(([part, schema]) => parametersOf(part, schema as Json)),
    ...(body && {
      requestBody: {
        required: true,
        content: Object.fromEntries(promised.bodyTypes.map((type) => [type, { schema: body as Json }])),
      },
    }),
    responses: { ...responsesOf(response as Record<string, Json | null>), ...problemsOf(promised) },
    security: promised.security.map(({ scheme }) => ({ [scheme]: [...promised.scopes] })),
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Shop', summary: 'Made of contracts', version: '1' },
    paths: { [path]: { [method]: operation } },
    components: {
      securitySchemes: Object.fromEntries(
        promised.security.map(({ scheme, name }) => [
          scheme,
          scheme === 'cookie' ? { type: 'apiKey', in: 'cookie', name: name! } : { type: 'http', scheme },
        ]),
      ),
    },
  }
}

const places: Record<string, string> = {
  params: 'path',
  query: 'query',
  headers: 'header',
  cookies: 'cookie',
}

function parametersOf(part: string, { properties = {}, required = [] }: Json): OpenAPIV3.ParameterObject[] {
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: places[part]!,
    required: required.includes(name),
    schema,
  }))
}

function responsesOf(response: Record<string, Json | null>): OpenAPIV3.ResponsesObject {
  return Object.fromEntries(
    Object.entries(response).map(([status, schema]) => [
      status,
      { description: status, ...(schema && { content: { 'application/json': { schema } } }) },
    ]),
  )
}

function problemsOf({ problems }: RouteContract): OpenAPIV3.ResponsesObject {
  return Object.fromEntries(
    [...new Set(problems.map(({ status }) => status))].map((status) => {
      const codes = problems.filter((one) => one.status === status).map(({ code }) => code)
      const schema: Json = { type: 'object', properties: { code: { enum: codes } } }
      return [status, { description: codes.join(', '), content: { 'application/problem+json': { schema } } }]
    }),
  )
}
