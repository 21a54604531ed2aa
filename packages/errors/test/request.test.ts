import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { instanceOf, requestIdOf } from '../src/answer/request.js'

const asked = (url: unknown): IncomingMessage => ({ originalUrl: url }) as unknown as IncomingMessage

it('takes the path of whatever stands in a request line', () => {
  expect(instanceOf(asked('http://user:secret@host:80/a/b?c#d'))).toBe('/a/b')
  expect(instanceOf(asked('/caf\u00e9'))).toBe('/caf%E9')
  expect(instanceOf(asked('*'))).toBeUndefined()
  expect(instanceOf(asked(undefined))).toBeUndefined()
  expect(instanceOf({ url: '/plain' } as IncomingMessage)).toBe('/plain')
})

it('makes of any text a path without host and query, or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl({ withQueryParameters: true }),
        fc.string().map((t) => `/${t}`),
      ),
      (url) => {
        const instance = instanceOf(asked(url))
        if (instance === undefined) return
        expect(instance).toMatch(/^\/(?!\/)(?:[\w.~:/@!$&'()*+,;=-]|%[0-9a-f]{2})*$/i)
        expect(new URL(instance, 'https://host/').host).toBe('host')
      },
    ),
    { numRuns: 2_000 },
  )
})

it('survives a source of ids that throws', () => {
  const throws = (): never => {
    throw new Error('x')
  }
  expect(requestIdOf(asked('/'), throws)).toBeUndefined()
})
