import { stacks } from './stacks.js'

// One stack in a process of its own: `server.ts NAME REDIS_URL`. Tells its port, and what CPU it has used when asked.

const [name, redisUrl] = process.argv.slice(2)
const app = await stacks[name!]!(redisUrl!)
const server = app.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as { port: number }).port })
})
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send!({ cpuMicros: user + system })
})
process.on('disconnect', () => process.exit(0))
