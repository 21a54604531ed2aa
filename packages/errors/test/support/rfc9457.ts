import { expect } from 'vitest'
import type { Answered } from './server.js'

/** Holds an answer to RFC 9457 §3 and §4, and to what we promise beside it. */
export function expectProblem({ status, headers, json }: Answered): void {
  expect(headers['content-type']).toMatch(/^application\/(?:problem\+)?json$/)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(json.status).toBe(status)
  for (const member of ['type', 'title', 'detail', 'code']) expect(json[member]).toEqual(expect.any(String))
  expect(json.title).not.toBe('')
  expect(URL.canParse(json.type, 'https://host/')).toBe(true)
  if ('instance' in json) {
    expect(json.instance).toMatch(/^\/(?!\/)(?:[\w.~:/@!$&'()*+,;=-]|%[0-9a-f]{2})*$/i)
  }
  // §3.2: names start with a letter, and consist of letters, digits and `_`; `violated-policies` has a hyphen.
  for (const name of Object.keys(json)) expect(name).toMatch(/^[A-Za-z][\w-]*$/)
  expect(headers['cache-control']).toBe('no-store')
  expect(headers.vary).toMatch(/(?:^|, )Accept(?:,|$)/)
}
