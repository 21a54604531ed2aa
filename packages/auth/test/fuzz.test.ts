import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accessToken } from '../src/index.js'
import { goodClaims, key, mint, options, part } from './tokens.js'

// The middleware itself, without a server: Node's HTTP parser would refuse most of these headers, and all large ones.

const tokens = accessToken(options())
const generous = accessToken(options({ maxTokenBytes: 1_048_576 }))

/** The status that a request with this header gets; 200 if it passes. */
function statusOf(authorization: string, middleware: typeof tokens = tokens): Promise<number> {
  const req = new IncomingMessage(new Socket())
  req.headers = { authorization }
  req.rawHeaders = ['Authorization', authorization]
  return new Promise((resolve) => {
    middleware(req, new ServerResponse(req), (error?: unknown) => {
      resolve(error === undefined ? 200 : ((error as { status?: number }).status ?? 500))
    })
  })
}

const base64url = fc.stringMatching(/^[\w-]{0,80}$/)
const json = fc.json({ maxDepth: 4 })
const header = fc.record(
  {
    alg: fc.constantFrom('ES256', 'none', 'HS256', 'RS256', '', 1),
    kid: fc.constantFrom('k1', 'k2', null, {}),
    typ: fc.constantFrom('at+jwt', 'JWT', 1),
    crit: json,
  },
  { requiredKeys: ['alg', 'typ'] },
)
const scheme = fc.constantFrom('Bearer ', 'bearer  ', 'BEARER', 'Basic ', '', 'Bearer\t')
const nearJws = fc
  .tuple(fc.oneof(header, fc.jsonValue()), fc.oneof(fc.jsonValue(), fc.constant(goodClaims())), base64url)
  .map(([head, body, signature]) => `${part(head as object)}.${part(body as object)}.${signature}`)
const mangled = (good: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(good.length), fc.nat(8), fc.string({ unit: 'binary', maxLength: 8 }))
    .map(([at, gone, text]) => good.slice(0, at) + text + good.slice(at + gone))
    .filter((text) => text !== good)

it('10,000 malformed headers and tokens: 400 or 401, never more, and never through', {
  timeout: 120_000,
}, async () => {
  const good = await mint()
  const token = fc.oneof(nearJws, mangled(good), fc.string({ unit: 'binary', maxLength: 300 }), base64url)
  const seen = new Set<number>()
  await fc.assert(
    fc.asyncProperty(scheme, token, async (prefix, text) => {
      const status = await statusOf(prefix + text)
      seen.add(status)
      expect([400, 401]).toContain(status)
    }),
    { numRuns: 10_000 },
  )
  expect(await statusOf(`Bearer ${good}`)).toBe(200)
  expect([...seen].sort()).toEqual([400, 401])
})

const MEGABYTE = 1_048_576
const large: [name: string, make: (size: number) => string][] = [
  ['one letter', (size) => `Bearer ${'a'.repeat(size)}`],
  ['spaces', (size) => `Bearer${' '.repeat(size)}x`],
  ['spaces at the end', (size) => `Bearer x${' '.repeat(size)}!`],
  ['dots', (size) => `Bearer ${'.'.repeat(size)}`],
  ['parts', (size) => `Bearer ${'a.'.repeat(size / 2)}`],
  ['padding', (size) => `Bearer x${'='.repeat(size)}!`],
  ['almost a token', (size) => `Bearer ${'a'.repeat(size / 2)}.${'b'.repeat(size / 2)}.!`],
  ['nested JSON', (size) => `Bearer ${part('['.repeat(size / 2))}.${part('{"a":'.repeat(20_000))}.AA`],
  [
    'a large payload',
    (size) =>
      `Bearer ${part({ alg: key.alg, typ: 'at+jwt', kid: key.kid })}.${part({ ...goodClaims(), x: 'y'.repeat(size / 2) })}.AAAA`,
  ],
]

it.each(large)(
  '%s, up to 1 MB: refused, in time that grows with the length and no faster',
  async (_, make) => {
    /** Milliseconds of CPU for one refusal; the best of several, since others share the machine. */
    const costOf = async (size: number): Promise<number> => {
      const text = make(size)
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        const startedAt = process.cpuUsage()
        expect([400, 401]).toContain(await statusOf(text, generous))
        const { user, system } = process.cpuUsage(startedAt)
        best = Math.min(best, (user + system) / 1_000)
      }
      return best
    }
    const [eighth, whole] = [await costOf(MEGABYTE / 8), await costOf(MEGABYTE)]
    // Eight times the length: 8 times the time if linear, 64 if quadratic. Below a millisecond nothing can be told.
    expect(whole / Math.max(eighth, 1)).toBeLessThan(30)
  },
)
