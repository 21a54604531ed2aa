import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Answer, call, type Service, startService } from './service.js'

let service: Service
beforeAll(async () => {
  service = await startService({ WEB_CONCURRENCY: '2', PROFILE_LOOKUP_MS: '0' })
})
afterAll(async () => {
  expect(await service.stop()).toBe(0)
})

const read = (path: string): Promise<Answer> => call(service.url, 'GET', path)
/** What follows, by `Link` alone (RFC 8288). */
const next = ({ headers }: Answer): string | undefined =>
  /^<([^>]*)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]

it.each([1, 7, 20, 34, 100])(
  'is read page by page, %i at a time, each item once and in order',
  async (limit) => {
    const skus: string[] = []
    let path: string | undefined = `/v1/catalogue?limit=${limit}`
    while (path !== undefined) {
      const page: Answer = await read(path)
      expect(page.status).toBe(200)
      const items = page.body.items as { sku: string }[]
      expect(items.length).toBeLessThanOrEqual(limit)
      skus.push(...items.map(({ sku }) => sku))
      const following = next(page)
      path = following && new URL(following, `http://here${path}`).href.slice('http://here'.length)
    }
    expect(skus).toHaveLength(102)
    expect(skus).toEqual([...new Set(skus)].sort())
  },
)

it('is bounded, and stores each page for itself, whatever else the query says', async () => {
  for (const wrong of [
    'limit=0',
    'limit=101',
    'limit=ten',
    'limit=1.5',
    `after=${'x'.repeat(65)}`,
    'after=%00',
  ]) {
    expect((await read(`/v1/catalogue?${wrong}`)).status).toBe(422)
  }
  const [first, other] = [await read('/v1/catalogue?limit=2'), await read('/v1/catalogue?limit=3')]
  expect([first, other].map(({ body }) => (body.items as unknown[]).length)).toEqual([2, 3])
  const again = await read('/v1/catalogue?limit=2&utm_source=x')
  expect(again.headers.get('cache-status')).toMatch(/; hit/)
  expect(again.headers.get('link')).toBe(first.headers.get('link'))
})
