import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract, JsonSchemaUnavailable, jsonSchemas, route, validate } from '../src/index.js'

const Paging = z.object({ page: z.coerce.number().default(1) })

describe('jsonSchemas', () => {
  it('shows what the request may be and what the client gets', () => {
    const users = route({
      query: Paging,
      body: type({ name: 'string' }),
      response: {
        200: z.object({
          at: z
            .string()
            .transform(() => 1)
            .pipe(z.number()),
        }),
        204: null,
      },
      handler: () => ({ status: 204 }),
    })
    expect(jsonSchemas(users)).toMatchObject({
      query: { properties: { page: { type: 'number', default: 1 } } },
      body: { type: 'object', required: ['name'] },
      response: { 200: { properties: { at: { type: 'number' } } }, 204: null },
    })
    expect(jsonSchemas(users)).not.toHaveProperty('params')
  })

  it('shows the body itself where it is sent as it is', () => {
    const response = z.object({
      at: z
        .string()
        .transform(() => 1)
        .pipe(z.number()),
    })
    const { response: shown } = jsonSchemas(validate({ response, responseMode: 'enforce' }))
    expect(shown).toMatchObject({ '2XX': { properties: { at: { type: 'string' } } } })
  })

  it('passes the dialect and the options of the library', () => {
    const dated = validate({ query: z.object({ on: z.date() }) })
    const libraryOptions = { unrepresentable: 'any' }
    expect(jsonSchemas(dated, { target: 'draft-07', libraryOptions }).query).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
    })
  })

  it('says which schema cannot be shown, and why', () => {
    const unknown = validate({ query: v.object({}) })
    expect(() => jsonSchemas(unknown)).toThrow(JsonSchemaUnavailable)
    expect(() => jsonSchemas(unknown)).toThrow(/query: this schema of valibot .*to-json-schema/)
    const dated = validate({ response: { 201: z.object({ on: z.date() }) } })
    expect(() => jsonSchemas(dated)).toThrow(/response 201: zod .*cause/)
    expect(() => jsonSchemas(dated)).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({ message: expect.stringContaining('Date') }),
      }),
    )
  })

  it('finds the contract by a registered symbol', () => {
    expect(contract).toBe(Symbol.for('@scale/contract'))
    expect(validate({ query: Paging })[contract]).toEqual({
      query: Paging,
      responseMode: 'strip',
      bodyTypes: ['application/json', 'application/*+json'],
      status: 422,
      problems: [
        { status: 422, code: 'ERR_SCALE_VALIDATION' },
        { status: 414, code: 'ERR_SCALE_VALIDATION_QUERY_SIZE' },
      ],
      security: [],
      scopes: [],
      quotas: [],
    })
  })
})
