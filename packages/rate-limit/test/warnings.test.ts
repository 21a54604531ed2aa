import { compose } from '@scale/core'
import { expect, it, vi } from 'vitest'
import { rateLimit } from '../src/index.js'
import { expresses, runApp } from './app.js'

const policies = [{ name: 'burst', quota: 3, windowMs: 600_000 }]

/** What is warned of meanwhile, by its code. */
async function warned(run: () => Promise<void>): Promise<string[]> {
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    await run()
    return emit.mock.calls.map(([, options]) => (options as { code: string }).code)
  } finally {
    emit.mockRestore()
  }
}

it.each(expresses)(
  '%s: a limiter on the way of a request twice counts it once, and says so once',
  async (name, make) => {
    for (const early of [false, true]) {
      const limiter = rateLimit({ name: `twice ${name} ${early}`, policies })
      const app = await runApp(make, early ? [compose(limiter), limiter] : [limiter, limiter])
      try {
        const codes = await warned(async () => {
          const left = []
          for (let request = 0; request < 3; request++)
            left.push((await app.get()).headers.get('ratelimit')?.match(/r=(\d)/)?.[1])
          expect(left).toEqual(['2', '1', '0'])
          expect((await app.get()).status).toBe(429)
        })
        expect(codes).toEqual(['SCALE_RATE_LIMIT_TWICE'])
      } finally {
        await app.close()
      }
    }
  },
)

it.each(expresses)(
  '%s: a limiter that is made while a request is served is warned of, and refused the second time',
  async (name, make) => {
    const app = await runApp(make, [
      (req, res, next) => rateLimit({ name: `handler ${name}`, policies })(req, res, next),
    ])
    try {
      const codes = await warned(async () => {
        expect((await app.get()).status).toBe(200)
        const { status } = await app.get()
        // Unless the first one is collected already.
        expect([200, 500]).toContain(status)
      })
      expect(codes).toEqual(['SCALE_RATE_LIMIT_IN_HANDLER'])
    } finally {
      await app.close()
    }
  },
)

it('nothing is said of a limiter that is made and mounted once', async () => {
  const [[, make]] = expresses as [(typeof expresses)[0]]
  expect(
    await warned(async () => {
      const app = await runApp(make, [rateLimit({ name: 'once', policies })])
      await app.get()
      await app.close()
    }),
  ).toEqual([])
})
