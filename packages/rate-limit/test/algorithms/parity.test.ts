import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, defineScript, type StoreGuard, storeGuard, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { State } from '../../src/algorithms/algorithm.js'
import { consume } from '../../src/algorithms/engine.js'
import { type AlgorithmName, algorithms } from '../../src/algorithms/index.js'
import { luaEngine, luaPrelude } from '../../src/algorithms/lua/engine.lua.js'
import { createQuota, type Quota } from '../../src/algorithms/quota.js'
import { type Random, random } from '../random.js'

const names = Object.keys(algorithms) as AlgorithmName[]
const STEPS = 100_000
const BATCH = 5_000

/**
 * Replays steps with the time given: ARGV 1 the state, 2 the quota, then one step each: `verb now a b c`.
 * Replies with what each step showed, and the last state.
 */
const replay = defineScript(
  'test.replay',
  `${luaPrelude(names)}${luaEngine}
local s, word = nil, string.gmatch(ARGV[2], '%S+')
if ARGV[1] ~= '' then
  s = {}
  for n in string.gmatch(ARGV[1], '%S+') do s[#s + 1] = tonumber(n) end
end
local q = quota(word(), word)
local shown = {}
for i = 3, #ARGV do
  local next = string.gmatch(ARGV[i], '%S+')
  local verb, now, a, b = next(), tonumber(next()), tonumber(next()), tonumber(next())
  local account, out = { q = q, before = s, cost = a, penaltyMs = 0 }, {}
  if verb == 'consume' then
    local divisor = tonumber(next())
    account.penaltyMs = tonumber(next())
    out[1] = consume({ account }, b, divisor, now)
    s = account.state
    balance(account, now, out)
  else
    local known = q.a.advance(s, q, now)
    if verb == 'refund' then s = q.a.refund(known, q, a, b, now)
    else s = q.a.debit(known, q, a) end
  end
  out[#out + 1] = q.a.ttlMs(s, q, now)
  for j = 1, #s do out[#out + 1] = s[j] end
  for j = 1, #out do out[j] = out[j] == NEVER and 'Infinity' or int(out[j]) end
  shown[#shown + 1] = table.concat(out, ' ')
end
return shown`,
)

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let guard: StoreGuard

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, { guard: { deadlineMs: 30_000 } })
  await whenReady(redis, 5_000)
  guard = storeGuard(redis)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

type Step =
  | { verb: 'consume'; now: number; cost: number; count: number; divisor: number; penaltyMs: number }
  | { verb: 'refund'; now: number; units: number; windowId: number }
  | { verb: 'charge'; now: number; units: number }

describe.each(names)('%s in Lua', (algorithm) => {
  it('does what it does in TypeScript, step for step, 100,000 times', async () => {
    const rng = random(`parity ${algorithm}`)
    let compared = 0
    while (compared < STEPS) {
      const quota = randomQuota(rng, algorithm)
      const steps = randomSteps(rng, quota, BATCH)
      const expected = replayHere(quota, steps)
      const actual = (await guard.run(replay, [], ['', quota.text, ...steps.map(write)])) as string[]
      for (const [index, text] of actual.entries()) {
        if (text !== expected[index]) {
          expect.fail(
            `${quota.text}, step ${index} ${write(steps[index]!)}: Lua ${text}, here ${expected[index]}`,
          )
        }
      }
      compared += actual.length
    }
    expect(compared).toBe(STEPS)
  })
})

function randomQuota(rng: Random, algorithm: AlgorithmName): Quota {
  const windowMs = rng.oneOf([1, 7, 500, 1_000, 59_999, 86_400_000, 30 * 86_400_000])
  const quota = rng.oneOf([0, 1, 3, 10, 99, 1_000, 65_537])
  const burst = rng.oneOf([quota, 1, 2 * quota + 1])
  return createQuota('random', { algorithm, quota, windowMs, burst, buckets: rng.oneOf([1, 3, 10, 60]) })
}

/** Times mostly near each other, sometimes a window ahead, sometimes back. */
function randomSteps(rng: Random, quota: Quota, length: number): Step[] {
  let now = 1_790_000_000_000 + rng.integer(1_000_000)
  const ids = [0, now]
  return Array.from({ length }, (): Step => {
    const part = rng.oneOf([0, 0.01, 0.1, 0.5, 1, 1.5])
    now += Math.round(quota.windowMs * part * rng.unit()) * (rng.unit() < 0.05 ? -1 : 1)
    const units = rng.integer(Math.max(2, quota.quota / 3))
    const roll = rng.unit()
    if (roll < 0.9) {
      const penaltyMs = rng.oneOf([0, 0, 0, 1 + rng.integer(2 * quota.windowMs)])
      return {
        verb: 'consume',
        now,
        cost: units,
        count: rng.integer(4),
        divisor: rng.oneOf([1, 1, 4]),
        penaltyMs,
      }
    }
    if (roll < 0.96) {
      const width = Math.ceil(quota.windowMs / quota.buckets)
      ids.push(
        now + rng.integer(quota.windowMs + 1),
        Math.floor(now / width) - rng.integer(quota.buckets + 2),
      )
      return { verb: 'refund', now, units, windowId: rng.oneOf(ids.slice(-6)) }
    }
    return { verb: 'charge', now, units }
  })
}

function replayHere(quota: Quota, steps: readonly Step[]): string[] {
  const algorithm = algorithms[quota.algorithm]
  let state: State | undefined
  return steps.map((step) => {
    const { now } = step
    const out: number[] = []
    if (step.verb === 'consume') {
      const { granted, states, balances } = consume(
        [{ state, quota, cost: step.cost, penaltyMs: step.penaltyMs }],
        step.count,
        step.divisor,
        now,
      )
      state = states[0]!
      const { remaining, resetAfterMs, waitMs, windowId } = balances[0]!
      out.push(granted, remaining, resetAfterMs, waitMs, windowId)
    } else {
      const known = algorithm.advance(state, quota, now)
      state =
        step.verb === 'charge'
          ? algorithm.debit(known, quota, step.units)
          : algorithm.refund(known, quota, step.units, step.windowId, now)
    }
    out.push(algorithm.ttlMs(state, quota, now), ...state)
    return out.map((number) => number.toFixed(0)).join(' ')
  })
}

function write(step: Step): string {
  if (step.verb === 'consume') {
    const { now, cost, count, divisor, penaltyMs } = step
    return `consume ${now} ${cost} ${count} ${divisor} ${penaltyMs}`
  }
  return `${step.verb} ${step.now} ${step.units} ${'windowId' in step ? step.windowId : 0}`
}
