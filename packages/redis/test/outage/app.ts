// A service as a user would write it, in a process of its own: no error listener, no restart.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRedis, RedisUnavailable, storeGuard } from '@scale/redis'

const store = storeGuard(createRedis(process.argv[2]))

const server = createServer(async (_req, res) => {
  try {
    res.end(String(await store.call('incr', ['visits'])))
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    res.writeHead(error.status, error.headers).end(error.reason)
  }
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}`)
})
