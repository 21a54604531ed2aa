// What a cache costs the server: CPU per request on top of what Express spends on the same answer without one, beside other
// caches, in one run; bytes that an entry takes in the process; and what becomes of an invalidation during a load.
import { compareCalls, compareServers, printOnTop, spreadOf } from '@scale/devkit/bench'
import { testRedis } from '@scale/devkit/redis-server'
import { variants as callVariants } from './calls.js'
import { invalidateDuringLoad } from './fence.js'
import { variants } from './variants.js'

const ENTRIES = 5_000

const bytes = new Map<string, number>()
const costs = await compareServers({
  module: new URL('variants.ts', import.meta.url).href,
  variants,
  requests: 500,
  afterwards: async (name, ask) => {
    if (name.endsWith('L1 hit') && variants[name]?.asked) bytes.set(name, (await ask(ENTRIES)) as number)
  },
})
printOnTop(costs, variants, 'an Express 5 answer of 300 bytes of JSON')

console.log('\nThe hits in the process as calls, µs of CPU each, and as a share of that answer:')
const calls = await compareCalls({
  module: new URL('calls.ts', import.meta.url).href,
  variants: callVariants,
  only: Object.keys(callVariants),
  requests: 5_000,
})
const answerMicros = spreadOf(costs.get('bare')!).median
for (const name of Object.keys(callVariants).slice(1)) {
  const { median } = spreadOf(
    calls.get(name)!.map((cost, generation) => cost - calls.get('nothing')![generation]!),
  )
  console.log(`${median.toFixed(2).padStart(6)}  ${(median / answerMicros).toFixed(3)}  ${name}`)
}

console.log('\nBytes that such a value takes in the process:')
for (const [name, each] of bytes) console.log(`${Math.round(each)} `.padStart(8), name)

console.log('\nInvalidated while it was being loaded, a value read afterwards:')
const redis = await testRedis()
console.table(await invalidateDuringLoad(redis.url))
await redis.stop()
process.exit()
