import express from 'express'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore, session } from '../src/index.js'
import { listen } from './app.js'

type Data = Record<string, unknown>

async function visitor(
  data: Data = {},
): Promise<Data & { data: Data; save(): Promise<void>; reload(): Promise<void> }> {
  const one = await session<Data>({ store: memoryStore() }).load({})
  one.data = data
  return one as never
}

describe('req.session', () => {
  it('is what it looks like', async () => {
    const one = await visitor({ user: { name: 'ann' }, n: 1 })
    expect(['user' in one, 'nobody' in one, 'save' in one, 'toString' in one]).toEqual([
      true,
      false,
      true,
      true,
    ])
    expect(Object.keys(one)).toEqual(['user', 'n'])
    expect({ ...one }).toEqual({ user: { name: 'ann' }, n: 1 })
    expect(JSON.stringify(one)).toBe('{"user":{"name":"ann"},"n":1}')
    expect(Object.hasOwn(one, 'user')).toBe(true)
    expect(Object.entries(one)).toHaveLength(2)
    const names: string[] = []
    for (const name in one) names.push(name)
    expect(names).toEqual(['user', 'n'])
    one.extra = 1
    Object.assign(one, { more: 2 })
    delete one.user
    expect(one.data).toEqual({ n: 1, extra: 1, more: 2 })
    expect(await one).toBe(one)
  })

  it('a key that was deleted is gone after a save', async () => {
    const sessions = session<Data>({ store: memoryStore() })
    const one = await sessions.load({})
    one.data = { user: 'ann', passport: { user: 'ann' }, 'keycloak-token': 't' }
    const { token } = await one.login('ann')
    const again = (await sessions.load({ cookie: `__Host-session=${token}` })) as unknown as Data & typeof one
    delete again.user
    delete again['keycloak-token']
    delete (again.passport as Data).user
    await again.save()
    const { data } = await sessions.load({ cookie: `__Host-session=${token}` })
    expect(data).toEqual({ passport: {} })
  })

  it.each(['id', 'userId', 'isNew', 'createdAt', 'cookie', 'save', 'login', 'destroy'])(
    'setting or deleting %s throws',
    async (name) => {
      const one = await visitor({ [name]: 'data', other: 1 })
      expect(() => {
        one[name] = 1
      }).toThrow(TypeError)
      expect(() => delete one[name]).toThrow(TypeError)
      expect(() => Object.defineProperty(one, name, { value: 1 })).toThrow(TypeError)
      // A key of that name is there all the same, in `data`.
      expect(Object.keys(one)).toEqual(['other'])
      expect(one.data[name]).toBe('data')
      expect(one[name]).not.toBe('data')
    },
  )

  it('cannot be frozen, nor given another prototype', async () => {
    const one = await visitor()
    expect(() => Object.freeze(one)).toThrow(TypeError)
    expect(() => Object.setPrototypeOf(one, null)).toThrow(TypeError)
  })

  it('does what an object does, for every sequence of operations', async () => {
    const own = new Set(['id', 'userId', 'isNew', 'createdAt', 'cookie', 'save', 'data', 'login', 'touch'])
    const name = fc
      .oneof(
        fc.string({ maxLength: 4 }),
        fc.constantFrom('__proto__', 'constructor', 'then', 'toJSON', 'hasOwnProperty', '1', '0'),
      )
      .filter((text) => !own.has(text) && text !== 'toJSON')
    const value = fc.jsonValue({ maxDepth: 2 })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), name, value }),
      fc.record({ kind: fc.constant('define' as const), name, value }),
      fc.record({ kind: fc.constant('delete' as const), name }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const one = await visitor()
        const model: Data = Object.create(null)
        for (const step of steps) {
          if (step.kind === 'set') {
            one[step.name] = step.value
            model[step.name] = step.value
          } else if (step.kind === 'define') {
            const descriptor = { value: step.value, writable: true, enumerable: true, configurable: true }
            Object.defineProperty(one, step.name, descriptor)
            Object.defineProperty(model, step.name, descriptor)
          } else {
            delete one[step.name]
            delete model[step.name]
          }
          expect(step.name in one).toBe(step.name in model || step.name in {})
          expect(Object.hasOwn(one, step.name)).toBe(Object.hasOwn(model, step.name))
        }
        expect(Object.keys(one)).toEqual(Object.keys(model))
        expect(JSON.stringify(one)).toBe(JSON.stringify(model))
      }),
      { numRuns: 300 },
    )
    expect(({} as Data).polluted).toBeUndefined()
  })
})

describe('req.session.cookie and req.sessionID', () => {
  let nowMs = 1_800_000_000_000
  const app = async () => {
    const routes = express().use(
      express.json(),
      session<Data>({ store: memoryStore({ clock: () => nowMs }) }),
    )
    routes.post('/login', async (req, res) => {
      if (req.body.first) Object.assign(req.session.cookie, req.body.first)
      await req.session.login('ann', req.body.options)
      if (req.body.last) Object.assign(req.session.cookie, req.body.last)
      res.json({ id: req.session.id, sessionID: req.sessionID })
    })
    routes.get('/', (req, res) => {
      const { id, userId = null, expiresAt, cookie } = req.session
      res.json({ userId, isSame: req.sessionID === id, expiresAt, cookie })
    })
    routes.post('/cookie', (req, res) => {
      Object.assign(req.session.cookie, req.body)
      res.json({})
    })
    return listen(routes)
  }
  const week = 7 * 86_400_000

  it.each([
    ['an option of login', { options: { persistent: true, idleTimeoutMs: week, absoluteTimeoutMs: week } }],
    ['maxAge before it', { first: { maxAge: week } }],
    ['maxAge after it', { last: { maxAge: week } }],
  ])('a login is remembered by %s', async (_how, body) => {
    const running = await app()
    const login = await running.send('POST', '/login', {}, body)
    expect(login.body).toMatchObject({ sessionID: (login.body as { id: string }).id })
    expect(login.cookies.join()).toContain(`Max-Age=${week / 1_000};`)
    const headers = { cookie: login.cookies[0]!.split(';')[0]! }
    nowMs += week - 60_000
    const later = await running.send('GET', '/', headers)
    expect(later.body).toMatchObject({
      userId: 'ann',
      isSame: true,
      cookie: { originalMaxAge: week, path: '/' },
    })
    // Renewed on the way, it is still one that outlives the browser.
    expect(later.cookies.join()).toContain('Max-Age=60;')
    nowMs += 60_000
    expect((await running.send('GET', '/', headers)).body).toMatchObject({ userId: null })
    await running.close()
  })

  it('is a cookie that goes with the browser unless told otherwise, and again when told so', async () => {
    const running = await app()
    const login = await running.send('POST', '/login', {}, {})
    expect(login.cookies.join()).not.toContain('Max-Age')
    const headers = { cookie: login.cookies[0]!.split(';')[0]! }
    const cookie = async () => ((await running.send('GET', '/', headers)).body as { cookie: Data }).cookie
    expect(await cookie()).toEqual({
      maxAge: null,
      expires: null,
      originalMaxAge: null,
      path: '/',
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
      partitioned: false,
    })
    const longer = await running.send('POST', '/cookie', headers, { maxAge: week })
    expect(longer.cookies.join()).toContain(`Max-Age=${week / 1_000};`)
    expect(await cookie()).toMatchObject({ maxAge: expect.closeTo(week, -4), originalMaxAge: week })
    const shorter = await running.send('POST', '/cookie', headers, { maxAge: null })
    expect(shorter.cookies.join()).not.toContain('Max-Age')
    expect(await cookie()).toMatchObject({ maxAge: null })
    expect((await running.send('POST', '/cookie', headers, { maxAge: -1 })).status).toBe(500)
    expect((await running.send('POST', '/cookie', headers, { path: '/x' })).status).toBe(500)
    await running.close()
  })
})
