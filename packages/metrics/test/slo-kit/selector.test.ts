import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Objective, prometheusRules, type SloOptions } from '../../src/slo.js'
import { counterExampleOf, exampleOf, parseSelector } from '../../src/slo-kit/selector.js'

describe('a selector that Prometheus would not take, or that no request meets, is refused', () => {
  it.each([
    ['http_route', 'cannot be read'],
    ['{http_route="/a"}', 'cannot be read'],
    ['http_route="/a" http_request_method="GET"', 'cannot be read'],
    ['http_route=="/a"', 'cannot be read'],
    ['http_route=/a', 'cannot be read'],
    ['http_route="/a', 'cannot be read'],
    ['http_route="/a"} or vector(1) #', 'cannot be read'],
    ['http_route=~"/n\\d+"', 'backslash of an expression twice'],
    ['http_route="it\\\'s"', 'backslash of an expression twice'],
    ['http_route=~"/(a"', 'expression that is none'],
    ['http_route=~"/(?!a).*"', '(?!'],
    ['http_route=~"(/a)\\\\1"', '\\1'],
    ['http_route=~"[[:alpha:]]+"', '[[:'],
    ['http_rout="/a"', 'no request has'],
    ['http_response_status_code="200"', 'how requests end'],
    ['error_type=""', 'how requests end'],
    ['le="1"', 'how requests end'],
    ['http_route="/a",http_route="/b"', 'met by no value'],
    ['http_route=~"/a/.*",http_route!~".*"', 'met by no value'],
  ])('%s', (selector, message) => {
    expect(() => prometheusRules({ objectives: [{ name: 'a', target: 0.9, selector }] })).toThrow(message)
  })
})

it('whatever the values: what is read is what was written', () => {
  const matcher = fc.record({
    label: fc.constantFrom('http_route', 'job', 'zone'),
    operator: fc.constantFrom('=' as const, '!=' as const),
    value: fc.string({ unit: 'binary-ascii' }).filter((text) => !text.includes('\u007f')),
  })
  fc.assert(
    fc.property(fc.uniqueArray(matcher, { selector: ({ label }) => label }), (matchers) => {
      const text = matchers
        .map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`)
        .join(', ')
      expect(parseSelector(text)).toEqual(matchers)
    }),
  )
})

it('an example meets every condition, a counterexample not all of them', () => {
  const word = fc.constantFrom(
    'a',
    'v1',
    '[a-f0-9]{4}',
    '\\w+',
    '(x|y|z)',
    '[^/]+',
    '.*',
    '.+',
    '(?:b)?',
    '\\d{2,}',
    'c*',
  )
  const path = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => `/${words.join('/')}`)
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 3 }), (paths) => {
      const expression = paths.join('|')
      const matchers = parseSelector(`http_route=~\`${expression}\``)
      const whole = new RegExp(`^(?:${expression})$`, 's')
      expect(exampleOf(matchers).http_route).toMatch(whole)
      const other = counterExampleOf(matchers)
      if (other !== undefined) expect(other.http_route).not.toMatch(whole)
    }),
  )
})

it.each<[options: SloOptions | undefined, word: string]>([
  [{ objectives: [] }, 'objectives'],
  [{ objectives: [{ name: 'Bad Name', target: 0.9 }] }, 'name'],
  [{ objectives: [{ name: 'a', target: 99.9 }] }, 'target'],
  [{ objectives: [{ name: 'a', target: 0.9, withinSeconds: 0.3 }] }, 'withinSeconds'],
  [{ objectives: [{ name: 'a', target: 0.9, selectr: 'x' } as Objective] }, 'selector'],
  [
    {
      objectives: [
        { name: 'a', target: 0.9 },
        { name: 'a', target: 0.99 },
      ],
    },
    'names',
  ],
  [{ service: {} }, 'service'],
  [{ service: { slo: 'x' } }, 'service'],
  [{ service: { job: '' } }, 'service'],
  [{ windowDays: 3 }, 'windowDays'],
])('%j is refused', (options, word) => {
  expect(() => prometheusRules(options)).toThrow(word)
})
