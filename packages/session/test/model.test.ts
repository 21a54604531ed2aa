import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Sessions, session } from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import type { Answer } from './app.js'
import { type Copy, OLD_SECRET, type Place, QUOTA, startCopies } from './copies/start-copies.js'
import { useRedis } from './redis.js'

// Random lives of a few browsers on four processes of an app, and what they may see, told by a small model. Every fault
// that the sessions were once known to have is put back by bench/mutations, and is found here.

const HOUR = 3_600_000
const IDLE = 1_000 * HOUR
/** The last use is written down this exactly: a tenth of the idle timeout. */
const TOUCH = 100 * HOUR
const redis = useRedis()
let copies: Copy[] = []
let sessions: Sessions<Record<string, unknown>>
let nowMs = 1_800_000_000_000
let count = 0

beforeAll(async () => {
  copies = await startCopies(Array(4).fill(redis.server.url))
  sessions = session({ store: redisStore({ redis: redis.client, clock: () => nowMs }) })
}, 60_000)
afterAll(async () => {
  for (const copy of copies) await copy.stop()
})

/** A session as it should be. */
interface Kept {
  id?: string
  user: string | null
  data: Record<string, unknown>
  isAlive: boolean
  usedAt: number
}

/** What should be. */
interface Model {
  browsers: { session: Kept | undefined; old: { cookie: string; session: Kept } | undefined }[]
  all: Kept[]
}

/** What is: the cookies that each browser has, and had. */
interface Real {
  jars: { cookies: Map<string, string>; others: string[]; stale: string[] }[]
}

/** @property isInParts  whether head and body of the answer are two calls of the handler */
type Act = { browser: number; copy: number; isLost: boolean; isInParts: boolean }

const cookiesOf = (real: Real, { browser }: Act): string => {
  const { cookies, others } = real.jars[browser]!
  return [...others, ...[...cookies].map(([name, value]) => `${name}=${value}`)].join('; ')
}

/** Sends a request with all cookies of a browser, and takes what the answer sets, unless the answer is lost. */
const headersOf = (real: Real, act: Act): Record<string, string> => ({
  cookie: cookiesOf(real, act),
  'x-now': String(nowMs),
  ...(act.isInParts ? { 'x-in-parts': 'yes' } : {}),
})

async function send(
  real: Real,
  act: Act,
  method: string,
  path: string,
  { body, place = 'lives', headers = {} }: { body?: unknown; place?: Place; headers?: object } = {},
): Promise<Answer> {
  const jar = real.jars[act.browser]!
  const answer = await copies[act.copy]!.send(
    method,
    `/${place}${path}`,
    { ...headersOf(real, act), ...headers },
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

/** Sends a request whose client leaves while its handler works. */
async function leave(real: Real, act: Act, path: string, body: object): Promise<void> {
  count++
  const mark = `left-${count}`
  const copy = copies[act.copy]!
  const sent = request(`${copy.url}/lives${path}?leaves=${mark}`, {
    method: 'POST',
    agent: false,
    headers: {
      ...headersOf(real, act),
      'content-type': 'application/json',
    },
  })
  sent.on('error', () => {})
  sent.end(JSON.stringify(body))
  const reaches = (what: string) =>
    expect
      .poll(async () => (await copy.handled()).includes(what), { interval: 2, timeout: 10_000 })
      .toBe(true)
  await reaches(mark)
  sent.destroy()
  await reaches(`${mark} done`)
}

const viewOf = (session: Kept | undefined): { user: string | null; data: object } =>
  session?.isAlive ? { user: session.user, data: session.data } : { user: null, data: {} }

/** What an answer shows of a session. */
function seen({ body }: Answer): { user: string | null; data: object } {
  const { user, data } = body as Kept
  return { user, data }
}

const livesOf = ({ all }: Model, user: string | null): Kept[] =>
  all.filter((one) => one.isAlive && one.user === user)

/** A session of a user begins: of those above the quota, one that was not used for the longest time ends. */
async function begin(model: Model, session: Kept): Promise<void> {
  const others = livesOf(model, session.user)
  model.all.push(session)
  if (session.user === null || others.length < QUOTA) return
  const listed = new Set((await sessions.of(session.user).list()).map(({ id }) => id))
  const gone = others.filter((one) => !listed.has(one.id!))
  expect(gone).toHaveLength(1)
  gone[0]!.isAlive = false
  for (const one of others) expect(gone[0]!.usedAt).toBeLessThan(one.usedAt + TOUCH)
}

abstract class Request implements fc.AsyncCommand<Model, Real> {
  constructor(readonly act: Act) {}
  check = (_model?: Model): boolean => true
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
  /** A request has used it. A use that was only a look is written down behind its answer. */
  async used(session: Kept | undefined): Promise<void> {
    if (session === undefined) return
    if (nowMs - session.usedAt > 0) await copies[this.act.copy]!.send('GET', '/settled')
    session.usedAt = nowMs
  }
}

class Look extends Request {
  async run(model: Model, real: Real): Promise<void> {
    expect(seen(await send(real, this.act, 'GET', '/'))).toEqual(viewOf(this.of(model)))
    await this.used(this.of(model))
  }
}

/** As a WebSocket does: nothing is answered. */
class LookAsSocket extends Request {
  async run(model: Model, real: Real): Promise<void> {
    expect((await send(real, this.act, 'GET', '/socket')).body).toEqual(viewOf(this.of(model)))
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
    const answer = await send(real, this.act, 'POST', '/login', { body: { user: this.user } })
    expect(answer.status).toBe(200)
    const goesOver = before !== undefined && (before.user === null || before.user === this.user)
    if (before !== undefined) before.isAlive = false
    const { id } = answer.body as { id: string }
    const data = goesOver ? before.data : {}
    const session = { id, user: this.user, data, isAlive: true, usedAt: nowMs }
    await begin(model, session)
    model.browsers[this.act.browser]!.session = this.act.isLost ? undefined : session
  }
}

/** Nobody can come back to the session: it must be gone, and so is the one that it replaced. */
class LoginAndLeave extends Login {
  override check = (model?: Model): boolean => livesOf(model!, this.user).length < QUOTA
  override async run(model: Model, real: Real): Promise<void> {
    const before = this.of(model)
    await leave(real, this.act, '/login', { user: this.user })
    if (before !== undefined) before.isAlive = false
    const lives = livesOf(model, this.user).length
    await expect.poll(async () => (await sessions.of(this.user).list()).length, { interval: 2 }).toBe(lives)
  }
}

class Logout extends Request {
  async run(model: Model, real: Real): Promise<void> {
    const before = this.of(model)
    await send(real, this.act, 'POST', '/logout')
    if (before !== undefined) before.isAlive = false
  }
}

type Body = { key: string; member?: string | undefined; value?: number | undefined }

function change({ data }: Kept, { key, member, value }: Body): void {
  if (value === undefined) delete data[key]
  else data[key] = member === undefined ? value : { ...(data[key] as object), [member]: value }
}

class Change extends Request {
  constructor(
    act: Act,
    readonly body: Body,
  ) {
    super(act)
  }
  async run(model: Model, real: Real): Promise<void> {
    const session = this.of(model) ?? { user: null, data: {}, isAlive: true, usedAt: nowMs }
    const had = Object.hasOwn(session.data, this.body.key)
    expect((await send(real, this.act, 'POST', '/set', { body: this.body })).status).toBe(200)
    change(session, this.body)
    await this.used(session)
    if (this.of(model) !== undefined || (this.body.value === undefined && !had)) return
    model.all.push(session)
    model.browsers[this.act.browser]!.session = this.act.isLost ? undefined : session
  }
}

class ChangeAndLeave extends Change {
  override check = (model?: Model): boolean => this.of(model!) !== undefined
  override async run(model: Model, real: Real): Promise<void> {
    const session = this.of(model)!
    await leave(real, this.act, '/set', this.body)
    change(session, this.body)
    const look = async () => seen(await send(real, { ...this.act, isLost: true }, 'GET', '/'))
    await expect.poll(look, { interval: 2 }).toEqual(viewOf(session))
    await this.used(session)
  }
}

class ChangeAtOnce extends Request {
  constructor(
    act: Act,
    readonly members: string[],
    readonly place: Place,
  ) {
    super(act)
  }
  override check = (model?: Model): boolean => this.of(model!) !== undefined
  async run(model: Model, real: Real): Promise<void> {
    const session = this.of(model)!
    const bodies = this.members.map((member, value) => ({ key: 'o', member, value }))
    const { place } = this
    const answers = await Promise.all(
      bodies.map((body, i) => send(real, { ...this.act, copy: i % 4 }, 'POST', '/set', { body, place })),
    )
    const statuses = answers.map(({ status }) => status)
    const wanted = place === 'strict' ? [200, 409] : [200]
    expect(statuses.filter((status) => !wanted.includes(status))).toEqual([])
    expect(statuses).toContain(200)
    for (const [i, body] of bodies.entries()) if (statuses[i] === 200) change(session, body)
    await this.used(session)
    expect(seen(await send(real, this.act, 'GET', '/'))).toEqual(viewOf(session))
  }
}

class Wait extends Request {
  constructor(
    act: Act,
    readonly hours: number,
  ) {
    super(act)
  }
  /** Whether a session is over must not hang on when exactly its last use was written down. */
  override check = (model?: Model): boolean =>
    model!.all.every(({ isAlive, usedAt }) => {
      const ageMs = nowMs + this.hours * HOUR - usedAt
      return !isAlive || ageMs < IDLE - TOUCH || ageMs >= IDLE
    })
  async run(model: Model): Promise<void> {
    nowMs += this.hours * HOUR
    for (const one of model.all) if (nowMs - one.usedAt >= IDLE) one.isAlive = false
    // That a session ended lately is known by the clock of Redis itself: for a minute.
    for (const key of await redis.client.keys('scale:session:1:*:session:*')) {
      if (await redis.client.hexists(key, 'z')) await redis.client.del(key)
    }
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
  async run(model: Model, real: Real): Promise<void> {
    const jar = real.jars[this.act.browser]!
    // The last may not be replaced for certain: its successor is used first.
    await send(real, { ...this.act, isLost: false }, 'GET', '/')
    await send(real, { ...this.act, isLost: false }, 'GET', '/')
    await this.used(this.of(model))
    nowMs += 10_000
    const own = new Set(jar.cookies.values())
    for (const token of jar.stale.filter((one) => one.length === 79 && !own.has(one))) {
      const headers = { cookie: `session=${token}` }
      const stolen = await send(real, { ...this.act, isLost: true }, 'GET', '/', { headers })
      expect(seen(stolen)).toEqual(viewOf(undefined))
    }
  }
}

/** The browser comes from the time before: it has a cookie of express-session. */
class Arrive extends Request {
  constructor(
    act: Act,
    readonly fails: boolean,
  ) {
    super(act)
  }
  override check = (model?: Model): boolean =>
    this.of(model!) === undefined && model!.browsers[this.act.browser]!.old === undefined
  async run(model: Model, real: Real): Promise<void> {
    count++
    const sid = `sid-${count}`
    await redis.client.set(`sess:${sid}`, JSON.stringify({ cookie: {}, user: 'ann', old: 1 }), 'PX', 10 ** 12)
    const signature = createHmac('sha256', OLD_SECRET).update(sid).digest('base64').replace(/=+$/, '')
    const cookie = encodeURIComponent(`s:${sid}.${signature}`)
    const jar = real.jars[this.act.browser]!
    jar.cookies = new Map([['connect.sid', cookie]])
    jar.others = []
    const session: Kept = { user: 'ann', data: { user: 'ann', old: 1 }, isAlive: true, usedAt: nowMs }
    expect((await send(real, this.act, 'GET', '/socket')).body).toEqual(viewOf(session))
    if (this.fails) {
      // What has failed may have happened: whoever comes next finds it done, or does it.
      expect((await send(real, this.act, 'GET', '/', { headers: { 'x-fails': '1' } })).status).toBe(500)
    }
    const answer = await send(real, this.act, 'GET', '/')
    expect(seen(answer)).toEqual(viewOf(session))
    session.id = (answer.body as Kept).id!
    await begin(model, session)
    Object.assign(model.browsers[this.act.browser]!, { session, old: { cookie, session } })
  }
}

/** Somebody has kept the cookie of before: with it nobody comes back to a session that ended. */
class ComeBack extends Request {
  override check = (model?: Model): boolean => model!.browsers[this.act.browser]!.old !== undefined
  async run(model: Model, real: Real): Promise<void> {
    const { cookie, session } = model.browsers[this.act.browser]!.old!
    const headers = { cookie: `connect.sid=${cookie}` }
    const view = seen(await send(real, { ...this.act, isLost: true }, 'GET', '/', { headers }))
    // While it lives, the cookie is as good as the token that was made of it.
    expect([viewOf(session), viewOf(undefined)]).toContainEqual(view)
    if (view.user !== null) await this.used(session)
  }
}

const act = fc.record({
  browser: fc.nat(2),
  copy: fc.nat(3),
  isLost: fc.boolean(),
  isInParts: fc.boolean(),
})
const reached = act.map((one) => ({ ...one, isLost: false }))
const key = fc.constantFrom('a', 'b', 'o')
const member = fc.constantFrom('x', 'y', 'z')
const user = fc.constantFrom('ann', 'ann', 'bob')
const members = fc.uniqueArray(fc.stringMatching(/^m\d$/), { minLength: 2, maxLength: 8 })

const commands = [
  act.map((one) => new Look(one)),
  act.map((one) => new Look(one)),
  act.map((one) => new LookAsSocket(one)),
  fc.tuple(act, user).map(([one, user]) => new Login(one, user)),
  fc.tuple(reached, user).map(([one, user]) => new Login(one, user)),
  fc.tuple(act, user).map(([one, user]) => new LoginAndLeave(one, user)),
  act.map((one) => new Logout(one)),
  fc
    .tuple(act, fc.constantFrom('a', 'b'), fc.nat(9))
    .map(([one, key, value]) => new Change(one, { key, value })),
  fc
    .tuple(act, member, fc.nat(9))
    .map(([one, member, value]) => new Change(one, { key: 'o', member, value })),
  fc.tuple(act, key).map(([one, key]) => new Change(one, { key })),
  fc
    .tuple(act, member, fc.nat(9))
    .map(([one, member, value]) => new ChangeAndLeave(one, { key: 'o', member, value })),
  fc
    .tuple(reached, members, fc.constantFrom<Place>('lives', 'strict'))
    .map(([one, members, place]) => new ChangeAtOnce(one, members, place)),
  fc.tuple(act, fc.constantFrom(0.5, 1, 2, 2, 200, 200, 2_000)).map(([one, hours]) => new Wait(one, hours)),
  fc.tuple(act, fc.constantFrom('x', 'A'.repeat(79))).map(([one, junk]) => new Collect(one, junk)),
  act.map((one) => new Steal(one)),
  fc.tuple(act, fc.boolean()).map(([one, fails]) => new Arrive(one, fails)),
  act.map((one) => new ComeBack(one)),
]

it('four processes show three browsers what a model says', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 120, size: 'max' }), async (steps) => {
      // The key of the marks stays: processes that remember different ones take each other's sessions for made up.
      const keys = await redis.client.keys('*')
      const before = keys.filter((key) => !key.endsWith(':mark'))
      if (before.length > 0) await redis.client.del(before)
      const browsers = [0, 1, 2].map(() => ({ session: undefined, old: undefined }))
      const jars = [0, 1, 2].map(() => ({ cookies: new Map<string, string>(), others: [], stale: [] }))
      const model: Model = { browsers, all: [] }
      await fc.asyncModelRun(() => ({ model, real: { jars } }), steps)
      for (const user of ['ann', 'bob']) {
        expect(await sessions.of(user).list()).toHaveLength(livesOf(model, user).length)
      }
    }),
    { numRuns: Number(process.env.SESSION_MODEL_RUNS ?? 10), endOnFailure: false },
  )
})
