// Starts a server, says which, and ends without stopping it, in the way named by its argument.
import { testRedis } from '@scale/devkit/redis-server'

const server = await testRedis()
const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string]
process.stdout.write(JSON.stringify({ pid: server.pid, folder }))
const how = process.argv[2]
if (how === 'throw') throw new Error('on purpose')
if (how === 'wait') setInterval(() => {}, 1_000)
// 'exit': nothing is left to do, and the server must not keep this process alive.
