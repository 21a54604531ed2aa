import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type PostgresServer, testPostgres } from '@scale/devkit/postgres'
import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, childrenOf, newcomer, type Service, startService } from '../../users-profile/test/service.js'

/** A mail server that keeps what it is given. */
class Sink {
  readonly mails: { id: string; to: string; text: string }[] = []
  /** Answers with an error for now, as a greylisting server does. */
  isRefusing = false
  readonly #server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, { envelope }, callback) => {
      text(stream).then((raw) => {
        if (this.isRefusing) return callback(Object.assign(new Error('later'), { responseCode: 451 }))
        const id = /^Message-ID: <(.*)>/im.exec(raw)![1]!
        this.mails.push({ id, to: envelope.rcptTo[0]!.address, text: raw.replaceAll('=\r\n', '') })
        callback()
      }, callback)
    },
  })

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server.server, 'listening')
    const { port } = this.#server.server.address() as { port: number }
    return `smtp://127.0.0.1:${port}`
  }
  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(resolve))
  }
  /** What was written to somebody, the newest last. */
  to(address: string): string[] {
    return this.mails.filter(({ to }) => to === address).map(({ text }) => text)
  }
}

const sink = new Sink()
let postgres: PostgresServer
let redis: RedisServer
let env: Record<string, string>
let service: Service
beforeAll(async () => {
  ;[postgres, redis] = await Promise.all([testPostgres(), testRedis()])
  env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    SMTP_URL: await sink.start(),
    PUBLIC_URL: 'https://users.example',
    WEB_CONCURRENCY: '2',
    PROFILE_LOOKUP_MS: '0',
  }
  service = await startService(env)
})
afterAll(async () => {
  expect(await service.stop()).toBe(0)
  await Promise.all([sink.stop(), postgres.stop(), redis.stop()])
})

const post = (path: string, body: object, token?: string) =>
  call(service.url, 'POST', path, { body, ...(token !== undefined && { token }) })
const register = async () => {
  const them = newcomer()
  expect((await post('/v1/users', them)).status).toBe(201)
  return them
}
const login = async (them: { email: string; password: string }) => {
  const { status, body } = await post('/v1/login', them)
  return { status, token: String(body.token) }
}
const read = (token: string) =>
  call(service.url, 'GET', '/v1/sessions', { token }).then(({ status }) => status)
const secretIn = (mail: string, action: string): string =>
  new RegExp(`https://users\\.example/#${action}=(?:3D)?([\\w-]{43})`).exec(mail)![1]!
const mailTo = async (email: string, count: number): Promise<string> => {
  await expect.poll(() => sink.to(email).length, { timeout: 20_000 }).toBe(count)
  return sink.to(email)[count - 1]!
}

it('welcomes who registers, by mail, with a link that opens once', async () => {
  const { email } = await register()
  const token = secretIn(await mailTo(email, 1), 'verify')
  expect((await post('/v1/email/verify', { token })).status).toBe(204)
  const again = await post('/v1/email/verify', { token })
  expect([again.status, again.body.code]).toEqual([400, 'LINK_INVALID'])
})

it('changes a password for who knows the old one, and logs all others out', async () => {
  const them = await register()
  const [mine, other] = [await login(them), await login(them)]
  const pair = (await post('/v1/token', them)).body
  const wrong = await post('/v1/password', { current: 'not this one', next: 'another battery' }, mine.token)
  expect(wrong.status).toBe(401)
  const right = await post('/v1/password', { current: them.password, next: 'another battery' }, mine.token)
  expect(right.status).toBe(204)
  expect([await read(mine.token), await read(other.token)]).toEqual([200, 401])
  expect((await post('/v1/token/refresh', { refresh_token: pair.refresh_token })).status).toBe(400)
  expect((await login(them)).status).toBe(401)
  expect((await login({ ...them, password: 'another battery' })).status).toBe(200)
  expect(await mailTo(them.email, 2)).toContain('Your password was changed')
})

it('lets nobody guess the old one', async () => {
  const them = await register()
  const { token } = await login(them)
  const statuses = []
  for (let i = 0; i < 7; i++) {
    statuses.push(
      (await post('/v1/password', { current: 'a wrong guess', next: 'x'.repeat(9) }, token)).status,
    )
  }
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
})

it('sets a new password by a link, once, and logs everybody out', async () => {
  const them = await register()
  const { token } = await login(them)
  await mailTo(them.email, 1)
  expect((await post('/v1/password/reset', { email: them.email.toUpperCase() })).status).toBe(204)
  const secret = secretIn(await mailTo(them.email, 2), 'reset')
  // A link of one kind opens nothing of another.
  expect((await post('/v1/email/verify', { token: secret })).status).toBe(400)
  expect((await post('/v1/password/reset', { email: them.email })).status).toBe(204)
  const second = secretIn(await mailTo(them.email, 3), 'reset')
  const next = 'a new battery'
  expect((await post('/v1/password/reset/confirm', { token: second, next })).status).toBe(204)
  // Nor does the older one, any more.
  for (const used of [second, secret, 'x'.repeat(43), '']) {
    const { status, body } = await post('/v1/password/reset/confirm', {
      token: used,
      next: 'somebody else’s',
    })
    expect([status, body.code]).toEqual([400, 'LINK_INVALID'])
  }
  expect(await read(token)).toBe(401)
  expect((await login({ ...them, password: next })).status).toBe(200)
})

it('tells nobody who has an account: the same answer, after the same time', async () => {
  const [known, unknown]: [number[], number[]] = [[], []]
  for (let i = 0; i < 6; i++) {
    const them = await register()
    for (const [email, times] of [
      [them.email, known],
      [newcomer().email, unknown],
    ] as const) {
      const { status, headers, body, tookMs } = await post('/v1/password/reset', { email })
      expect([status, body, headers.get('content-length')]).toEqual([204, {}, null])
      times.push(tookMs)
    }
  }
  // Both wait longer than the work takes.
  for (const tookMs of [...known, ...unknown]) expect(tookMs).toBeGreaterThan(95)
  const fourth = []
  const { email } = newcomer()
  for (let i = 0; i < 4; i++) fourth.push((await post('/v1/password/reset', { email })).status)
  expect(fourth).toEqual([204, 204, 204, 429])
})

it('sends what a mail server refused for a while', async () => {
  sink.isRefusing = true
  const { email } = await register()
  await expect
    .poll(() => service.output().includes('job failed and will be tried again'), { timeout: 20_000 })
    .toBe(true)
  expect(sink.to(email)).toEqual([])
  sink.isRefusing = false
  await mailTo(email, 1)
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The process of one of the workers that there are now. */
async function aWorkerOf({ pid }: Service): Promise<number> {
  await expect.poll(() => childrenOf(pid).length, { timeout: 20_000 }).toBeGreaterThan(0)
  const all = childrenOf(pid)
  return all[Math.floor(Math.random() * all.length)]!
}

describe('copies that are killed at random points', () => {
  const count = Number(process.env.OUTBOX_REGISTRATIONS ?? 60)
  it(
    'send each committed mail, and none that was not',
    async () => {
      const acknowledged: string[] = []
      const tried: string[] = []
      let copy = await startService(env)
      let isDone = false
      const reaper = (async () => {
        // Each time at another moment of taking, sending and noting: after so many registrations and a random while.
        for (let kills = 1; !isDone; kills++) {
          const enough = Math.min(acknowledged.length + 10, count)
          while (acknowledged.length < enough && !isDone) await pause(5)
          await pause(Math.random() * 100)
          if (isDone) return
          if (kills % 3 > 0) process.kill(await aWorkerOf(copy), 'SIGKILL')
          else {
            await copy.kill()
            copy = await startService(env)
          }
        }
      })()
      while (acknowledged.length < count) {
        await Promise.all(
          Array.from({ length: 5 }, async () => {
            const them = newcomer()
            tried.push(them.email)
            const answer = await call(copy.url, 'POST', '/v1/users', { body: them }).catch(() => undefined)
            if (answer?.status === 201) acknowledged.push(them.email)
          }),
        )
      }
      isDone = true
      await reaper
      const { Client } = (await import('pg')).default
      const client = new Client(postgres.url)
      await client.connect()
      const { rows } = await client.query<{ email: string }>('SELECT email FROM users')
      const people = new Set(rows.map(({ email }) => email))
      // What the dead had taken is taken from them after ten seconds.
      const received = (): Set<string> => new Set(sink.mails.map(({ to }) => to))
      await expect
        .poll(() => [...people].filter((email) => !received().has(email)), { timeout: 90_000, interval: 500 })
        .toEqual([])
      await expect
        .poll(async () => (await client.query('SELECT 1 FROM scale_outbox')).rows, { timeout: 90_000 })
        .toEqual([])
      await client.end()
      for (const email of acknowledged) expect(people).toContain(email)
      for (const email of tried) {
        const ids = new Set(sink.mails.filter(({ to }) => to === email).map(({ id }) => id))
        // One letter each: one that had to be sent twice has one Message-ID.
        expect([email, ids.size]).toEqual([email, people.has(email) ? 1 : 0])
      }
      expect(await copy.stop()).toBe(0)
    },
    240_000 + count * 1_000,
  )
})
