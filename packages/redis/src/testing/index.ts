export { ErrorReply, type Reply } from './resp.js'
export { type RedisServer, type ServerProgram, type StartRedisOptions, startRedis } from './server.js'
