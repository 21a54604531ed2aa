import { compareServers, printOnTop } from '@scale/devkit/bench'
import { testRedis } from '@scale/devkit/redis-server'
import { commandsPerRequest } from './commands.js'
import { variants } from './stacks.js'

// `pnpm --filter benchmarks bench`: CPU per request and Redis commands per request of whole stacks, side by side.

const redis = await testRedis()
console.log('Redis commands per request:')
for (const name of Object.keys(variants)) {
  console.log(`${(await commandsPerRequest(name, redis, 4_800)).toFixed(2).padStart(6)}  ${name}`)
}
await redis.stop()

const module = new URL('stacks.ts', import.meta.url).href
printOnTop(await compareServers({ module, variants, connections: 16 }), variants, 'Express alone')
