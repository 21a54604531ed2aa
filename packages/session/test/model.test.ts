import { createHmac } from 'node:crypto'
import express from 'express'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectRedis, cookie, type Sessions, session } from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { type Answer, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

// Random lives of a few browsers on four copies of an app, and what they may see, told by a model of twenty lines.

const SECRET = 'a secret of at least thirty-two characters'
const HOUR = 3_600_000
const redis = useRedis()
const copies: RunningApp[] = []
let sessions: Sessions<Record<string, unknown>>
let nowMs = 1_800_000_000_000

beforeAll(async () => {
  for (let i = 0; i < 4; i++) {
    sessions = session<Record<string, unknown>>({
      store: redisStore({ redis: redis.client, clock: () => nowMs }),
      transport: cookie({ name: 'session' }),
      idleTimeoutMs: 1_000 * HOUR,
      absoluteTimeoutMs: 80_000 * HOUR,
      renewAfterMs: HOUR,
      renewGraceMs: 10_000,
      migrateFrom: connectRedis({
        redis: redis.client,
        secrets: SECRET,
        userIdOf: ({ user }) => user as string,
      }),
    })
    const app = express().use(express.json(), sessions)
    app.post('/login', async (req, res) => {
      await req.session.login(req.body.user)
      res.json({})
    })
    app.post('/logout', async (req, res) => {
      await req.session.destroy()
      res.json({})
    })
    app.post('/set', (req, res) => {
      const { key, member, value } = req.body
      const one = req.session as unknown as Record<string, Record<string, unknown>>
      if (value === undefined) delete one[key]
      else if (member === undefined) one[key] = value
      else one[key] = { ...one[key], [member]: value }
      res.json({})
    })
    app.get('/', (req, res) => {
      res.json({ user: req.session.userId ?? null, data: { ...req.session } })
    })
    copies.push(await listen(app))
  }
})
afterAll(async () => {
  for (const copy of copies) await copy.close()
})

/** A session as it should be. */
interface Kept {
  user: string | null
  data: Record<string, unknown>
  isAlive: boolean
}

/** What should be. */
interface Model {
  browsers: { session: Kept | undefined; hasOld: boolean }[]
  all: Kept[]
}

/** What is: the cookies that each browser has. */
interface Real {
  jars: { cookies: Map<string, string>; others: string[]; stale: string[] }[]
}

type Act = { browser: number; copy: number; isLost: boolean }

/** Sends a request with all cookies of a browser, and takes what the answer sets, unless the answer is lost. */
async function send(real: Real, act: Act, method: string, path: string, body?: unknown): Promise<Answer> {
  const jar = real.jars[act.browser]!
  const own = [...jar.cookies].map(([name, value]) => `${name}=${value}`)
  const answer = await copies[act.copy]!.send(
    method,
    path,
    { cookie: [...jar.others, ...own].join('; ') },
    body,
  )
  if (!act.isLost) {
    for (const text of answer.cookies) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(text)!
      const before = jar.cookies.get(name!)
      if (before !== undefined && before !== value) jar.stale.push(before)
      if (value === '') jar.cookies.delete(name!)
      else jar.cookies.set(name!, value!)
    }
  }
  return answer
}

function see({ browsers }: Model, { browser }: Act): { user: string | null; data: object } {
  const { session } = browsers[browser]!
  return session?.isAlive ? { user: session.user, data: session.data } : { user: null, data: {} }
}

abstract class Request implements fc.AsyncCommand<Model, Real> {
  constructor(readonly act: Act) {}
  check = (): boolean => true
  abstract run(model: Model, real: Real): Promise<void>
  toString(): string {
    const { act: _, check: __, ...rest } = this
    return `${this.constructor.name}(${JSON.stringify({ ...this.act, ...rest })})`
  }
  /** The session of the browser in the model. */
  of(model: Model): Kept | undefined {
    const { session } = model.browsers[this.act.browser]!
    return session?.isAlive ? session : undefined
  }
}

class Look extends Request {
  async run(model: Model, real: Real): Promise<void> {
    expect((await send(real, this.act, 'GET', '/')).body).toEqual(see(model, this.act))
  }
}

class Login extends Request {
  constructor(
    act: Act,
    readonly user: string,
  ) {
    super(act)
  }
  async run(model: Model, real: Real): Promise<void> {
    const before = this.of(model)
    expect((await send(real, this.act, 'POST', '/login', { user: this.user })).status).toBe(200)
    const goesOver = before !== undefined && (before.user === null || before.user === this.user)
    const session = { user: this.user, data: goesOver ? before.data : {}, isAlive: true }
    if (before !== undefined) before.isAlive = false
    model.all.push(session)
    const browser = model.browsers[this.act.browser]!
    if (!this.act.isLost) browser.session = session
    else browser.session = undefined
  }
}

class Logout extends Request {
  async run(model: Model, real: Real): Promise<void> {
    const before = this.of(model)
    await send(real, this.act, 'POST', '/logout')
    if (before !== undefined) before.isAlive = false
  }
}

class Change extends Request {
  constructor(
    act: Act,
    readonly body: { key: string; member?: string | undefined; value?: number | undefined },
  ) {
    super(act)
  }
  async run(model: Model, real: Real): Promise<void> {
    const { key, member, value } = this.body
    const session = this.of(model) ?? { user: null, data: {}, isAlive: true }
    const had = Object.hasOwn(session.data, key)
    expect((await send(real, this.act, 'POST', '/set', this.body)).status).toBe(200)
    if (value === undefined) delete session.data[key]
    else
      session.data[key] = member === undefined ? value : { ...(session.data[key] as object), [member]: value }
    if (this.of(model) !== undefined || (value === undefined && !had)) return
    model.all.push(session)
    model.browsers[this.act.browser]!.session = this.act.isLost ? undefined : session
  }
}

class ChangeAtOnce extends Request {
  constructor(
    act: Act,
    readonly members: string[],
  ) {
    super(act)
  }
  override check = (model?: Model): boolean => this.of(model!) !== undefined
  async run(model: Model, real: Real): Promise<void> {
    const session = this.of(model)!
    const answers = await Promise.all(
      this.members.map((member, i) =>
        send(real, { ...this.act, copy: i % 4 }, 'POST', '/set', { key: 'o', member, value: i }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(this.members.map(() => 200))
    const set = Object.fromEntries(this.members.map((member, i) => [member, i]))
    session.data.o = { ...(session.data.o as object), ...set }
  }
}

class Wait extends Request {
  constructor(
    act: Act,
    readonly hours: number,
  ) {
    super(act)
  }
  async run(model: Model): Promise<void> {
    nowMs += this.hours * HOUR
    if (this.hours > 1_000) for (const one of model.all) one.isAlive = false
  }
}

class Collect extends Request {
  constructor(
    act: Act,
    readonly junk: string,
  ) {
    super(act)
  }
  async run(_model: Model, real: Real): Promise<void> {
    real.jars[this.act.browser]!.others = [`session=${this.junk}`]
  }
}

/** Somebody has a copy of every token that the browser once had, and its time is over. */
class Steal extends Request {
  async run(_model: Model, real: Real): Promise<void> {
    const jar = real.jars[this.act.browser]!
    // The last may not be replaced for certain: its successor is used first.
    await send(real, { ...this.act, isLost: false }, 'GET', '/')
    await send(real, { ...this.act, isLost: false }, 'GET', '/')
    nowMs += 10_000
    const own = new Set(jar.cookies.values())
    for (const token of jar.stale.filter((one) => one.length === 79 && !own.has(one))) {
      const stolen = await copies[this.act.copy]!.send('GET', '/', { cookie: `session=${token}` })
      expect(stolen.body).toEqual({ user: null, data: {} })
    }
  }
}

/** The browser comes from the time before: it has a cookie of express-session. */
class Arrive extends Request {
  override check = (model?: Model): boolean =>
    this.of(model!) === undefined && !model!.browsers[this.act.browser]!.hasOld
  async run(model: Model, real: Real): Promise<void> {
    const sid = `sid-${model.all.length}-${Math.random()}`.replaceAll('.', '-')
    await redis.client.set(`sess:${sid}`, JSON.stringify({ cookie: {}, user: 'ann', old: 1 }), 'PX', 10 ** 12)
    const signature = createHmac('sha256', SECRET).update(sid).digest('base64').replace(/=+$/, '')
    const jar = real.jars[this.act.browser]!
    jar.cookies = new Map([['connect.sid', encodeURIComponent(`s:${sid}.${signature}`)]])
    jar.others = []
    const session = { user: 'ann', data: { user: 'ann', old: 1 }, isAlive: true }
    model.all.push(session)
    Object.assign(model.browsers[this.act.browser]!, { session, hasOld: true })
    expect((await send(real, this.act, 'GET', '/')).body).toEqual(see(model, this.act))
  }
}

const act = fc.record({ browser: fc.nat(2), copy: fc.nat(3), isLost: fc.boolean() })
const reached = act.map((one) => ({ ...one, isLost: false }))
const key = fc.constantFrom('a', 'b', 'o')
const member = fc.constantFrom('x', 'y', 'z')

it('four copies show three browsers what a model says', { timeout: 120_000 }, async () => {
  const commands = [
    act.map((one) => new Look(one)),
    act.map((one) => new Look(one)),
    fc.tuple(act, fc.constantFrom('ann', 'bob')).map(([one, user]) => new Login(one, user)),
    act.map((one) => new Logout(one)),
    fc
      .tuple(act, fc.constantFrom('a', 'b'), fc.nat(9))
      .map(([one, key, value]) => new Change(one, { key, value })),
    fc
      .tuple(act, member, fc.nat(9))
      .map(([one, member, value]) => new Change(one, { key: 'o', member, value })),
    fc.tuple(act, key).map(([one, key]) => new Change(one, { key })),
    fc
      .tuple(reached, fc.uniqueArray(fc.stringMatching(/^m\d$/), { minLength: 2, maxLength: 8 }))
      .map(([one, members]) => new ChangeAtOnce(one, members)),
    fc.tuple(act, fc.constantFrom(0.5, 1, 2, 2, 2_000)).map(([one, hours]) => new Wait(one, hours)),
    fc.tuple(act, fc.constantFrom('x', 'A'.repeat(79))).map(([one, junk]) => new Collect(one, junk)),
    act.map((one) => new Steal(one)),
    act.map((one) => new Arrive(one)),
  ]
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (steps) => {
      await redis.client.flushall()
      const browsers = [0, 1, 2].map(() => ({ session: undefined, hasOld: false }))
      const jars = [0, 1, 2].map(() => ({ cookies: new Map<string, string>(), others: [], stale: [] }))
      const model: Model = { browsers, all: [] }
      await fc.asyncModelRun(() => ({ model, real: { jars } }), steps)
      for (const user of ['ann', 'bob']) {
        const alive = model.all.filter((one) => one.isAlive && one.user === user)
        expect(await sessions.of(user).list()).toHaveLength(alive.length)
      }
    }),
    { numRuns: Number(process.env.SESSION_MODEL_RUNS ?? 60), endOnFailure: false },
  )
})
