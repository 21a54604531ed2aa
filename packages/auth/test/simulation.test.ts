import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Provider, startProvider } from './keys/provider.js'
import { useRedis } from './redis.js'
import { keyTimes, type Order, type Report } from './simulation/messages.js'
import { mint, type TestKey, testKey } from './tokens.js'

// Four processes with clocks of their own, one provider, one Redis, and a random history: keys come and go, the provider is
// away, clocks are set, tokens are taken back, forgeries come in floods. After each step each process is held against one that
// starts at that moment.

const PROCESSES = 4
const STEPS = Number(process.env.SIMULATION_STEPS ?? 25)
/** What the documentation says, and what a machine that does other things may add. */
const SLOW_MS = 1_000
const BOUND_MS = { well: keyTimes.maxAgeMs + 500 + SLOW_MS, away: keyTimes.maxStaleMs + SLOW_MS }
const TOLERANCE_MS = 10_000

const redis = useRedis()
let provider: Provider
let members: ChildProcess[] = []

beforeAll(async () => {
  provider = await startProvider([])
  const file = fileURLToPath(new URL('simulation/member.ts', import.meta.url))
  const execArgv = ['--conditions=@scale/source', '--import', 'tsx']
  provider.keys = [testKey('ES256', 'first').jwk]
  members = Array.from({ length: PROCESSES }, () =>
    fork(file, [redis.server.url, provider.url], { execArgv }),
  )
  await Promise.all(members.map((member) => once(member, 'message')))
}, 60_000)
afterAll(async () => {
  for (const member of members) {
    if (member.exitCode !== null || member.signalCode !== null) continue
    member.kill('SIGKILL')
    await once(member, 'exit')
  }
  await provider?.close()
})

async function tell(member: number, order: Order): Promise<Report> {
  const child = members[member]!
  const ended = new AbortController()
  const onExit = (): void => ended.abort(new Error(`process ${member} ended`))
  child.once('exit', onExit)
  const report = once(child, 'message', { signal: ended.signal })
  child.send(order)
  try {
    return (await report)[0] as Report
  } finally {
    child.off('exit', onExit)
  }
}

const everyone = Array.from({ length: PROCESSES }, (_, index) => index)

const aMember = fc.nat(PROCESSES - 1)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rotate' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('outage' as const, 'silence' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('well' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      member: aMember,
      shiftMs: fc.oneof(fc.integer({ min: -8_000, max: 8_000 }), fc.constantFrom(-3_600_000, 3_600_000, 0)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('revoke' as const),
      member: aMember,
      what: fc.constantFrom('token' as const, 'family' as const, 'user' as const),
      which: fc.nat(100),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flood' as const), member: aMember }) },
)

/** A token, and what the test knows of it. */
interface Issued {
  readonly text: string
  readonly key: TestKey
  readonly user: number
  /** Its end by its own claim, in epoch ms. */
  readonly endsAt: number
  isRevoked: boolean
}

/** What is true, whatever a process believes. */
class World {
  keys: TestKey[] = []
  readonly tokens: Issued[] = []
  readonly shifts: number[] = everyone.map(() => 0)
  /** Since when the provider has not said what its keys are; `undefined`: it does. */
  awaySince: number | undefined
  wellSince = 0
  /** When a key came into the set, and left the set, that the provider publishes, by its name. */
  readonly addedAt = new Map<string, number>()
  readonly removedAt = new Map<string, number>()

  async issue(): Promise<void> {
    const user = this.tokens.length
    const key = this.keys.at(-1)!
    const iat = Math.floor(Date.now() / 1_000)
    // Some end while the history goes on.
    const exp = user % 3 === 0 ? iat - 8 : iat + 300
    const claims = {
      sub: `user-${user}`,
      jti: `token-${user}`,
      sid: `family-${user}`,
      iat: Math.min(iat, exp - 1),
      exp,
    }
    this.tokens.push({ text: await mint({ key, claims }), key, user, endsAt: exp * 1_000, isRevoked: false })
  }

  add(): void {
    this.keys.push(testKey('ES256', `key-${this.keys.length + this.removedAt.size}`))
    this.publish()
    this.addedAt.set(this.keys.at(-1)!.kid, Date.now())
  }

  remove(): void {
    if (this.keys.length < 2) return
    const [gone] = this.keys.splice(0, 1)
    this.removedAt.set(gone!.kid, Date.now())
    this.publish()
  }

  publish(): void {
    provider.keys = this.keys.map(({ jwk }) => jwk)
  }

  /** How late a key that is gone may still be taken. A provider that comes back is asked after a pause as long as it was away. */
  boundMs(nowMs: number): number {
    const wellForMs = this.awaySince === undefined ? nowMs - this.wellSince : 0
    return wellForMs < BOUND_MS.away ? BOUND_MS.away : BOUND_MS.well
  }

  /** Whether a token is good at any time of a probe, by the clock of a process. */
  isGood(token: Issued, member: number, to: number): boolean {
    const shiftMs = this.shifts[member]!
    const isTime = token.endsAt + TOLERANCE_MS > to + shiftMs && shiftMs > 1_000 - TOLERANCE_MS
    return !token.isRevoked && this.keys.includes(token.key) && isTime
  }
}

it('no process lets in what one that starts now would refuse, later than the stated bound; and each lets in what is good', {
  timeout: STEPS * 2_000 + 60_000,
}, async () => {
  const seed = Number(process.env.SIMULATION_SEED ?? Date.now() % 1_000_000)
  const [random] = fc.sample(fc.array(step, { minLength: STEPS, maxLength: STEPS }), { seed, numRuns: 1 })
  const history = [
    { kind: 'rotate' },
    { kind: 'revoke', member: 0, what: 'user', which: 0 },
    ...random!,
    { kind: 'well' },
  ] as const
  const world = new World()
  world.add()
  /** Since when one that starts is refused a token, by member and token. */
  const refusedSince = new Map<string, number>()
  const seen = { accepted: 0, refused: 0, late: 0, unavailable: 0 }

  for (const [number, what] of history.entries()) {
    switch (what.kind) {
      case 'rotate':
        world.add()
        break
      case 'remove':
        world.remove()
        break
      case 'outage':
      case 'silence':
        world.awaySince ??= Date.now()
        provider.answer = what.kind === 'silence' ? () => {} : (res) => void res.writeHead(500).end()
        break
      case 'well':
        if (world.awaySince !== undefined) world.wellSince = Date.now()
        world.awaySince = undefined
        provider.answer = undefined
        break
      case 'clock':
        await tell(what.member, { kind: 'clock', shiftMs: what.shiftMs })
        world.shifts[what.member] = what.shiftMs
        break
      case 'revoke': {
        const token = world.tokens[what.which % world.tokens.length]
        if (token === undefined) break
        await tell(what.member, { kind: 'revoke', what: what.what, token: token.text })
        token.isRevoked = true
        break
      }
      case 'flood': {
        const like = world.tokens.at(-1)?.text
        if (like === undefined) break
        const { verdicts } = await tell(what.member, { kind: 'flood', count: 2_000, like })
        expect(verdicts, `seed ${seed}, step ${number}`).not.toContain('accepted')
      }
    }
    await world.issue()
    const from = Date.now()
    const tokens = world.tokens.slice(-30)
    const reports = await Promise.all(
      everyone.map((member) => tell(member, { kind: 'probe', tokens: tokens.map(({ text }) => text) })),
    )
    const to = Date.now()
    for (const [member, { verdicts, fresh, loadedAt }] of reports.entries()) {
      for (const [index, token] of tokens.entries()) {
        const label = `seed ${seed}, step ${number} (${what.kind}), process ${member}, token ${token.user} under ${token.key.kid}`
        const name = `${member} ${token.user}`
        const [verdict, now] = [verdicts[index]!, fresh[index]!]
        if (now === 'accepted') refusedSince.delete(name)
        // Without an answer of the provider, one that begins knows nothing.
        else if (now !== '503' && !refusedSince.has(name)) refusedSince.set(name, from)
        const since = refusedSince.get(name) ?? Number.POSITIVE_INFINITY
        const removedAt = world.removedAt.get(token.key.kid) ?? Number.POSITIVE_INFINITY
        if (verdict === 'accepted') {
          seen.accepted++
          if (from > removedAt) seen.late++
          expect(token.isRevoked, `${label}: taken back`).toBe(false)
          expect(from - Math.min(since, removedAt), `${label}: ${now}`).toBeLessThan(world.boundMs(from))
        } else {
          if (verdict === '503') seen.unavailable++
          else seen.refused++
          const isKnown = world.addedAt.get(token.key.kid)! < loadedAt && to - loadedAt < keyTimes.maxStaleMs
          if (isKnown && world.isGood(token, member, to)) expect(verdict, `${label}: good`).toBe('accepted')
        }
      }
    }
    await delay(20)
  }
  // The history had something of everything.
  expect(seen.accepted, `seed ${seed}`).toBeGreaterThan(0)
  expect(seen.refused, `seed ${seed}`).toBeGreaterThan(0)
})
