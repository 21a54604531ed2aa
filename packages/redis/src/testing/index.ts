export { type FaultProxy, type Faults, startFaultProxy } from './fault-proxy.js'
export { ErrorReply, type Reply } from './resp.js'
export { type RedisServer, type ServerProgram, type StartRedisOptions, startRedis } from './server.js'
