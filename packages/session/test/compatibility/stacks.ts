import { RedisStore as ConnectRedis } from 'connect-redis'
import type { RequestHandler } from 'express'
// @ts-expect-error its types declare `req.session`, as ours do
import expressSession from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll } from 'vitest'
import { RedisStore } from '../../src/express-session/index.js'
import { cookie, session } from '../../src/index.js'
import { useRedis } from '../redis.js'

/** What signs the cookies of express-session. */
export const SECRET = 'a secret of at least thirty-two characters'

/** The ways to have a session that apps and their middleware must not be able to tell apart. */
export const stackNames = [
  'express-session with connect-redis',
  'express-session with our store',
  'session()',
] as const
export type StackName = (typeof stackNames)[number]

/** Starts a Redis for the tests of a file, if none is given, and makes the middleware of each stack. */
export function useStacks(
  redis: ReturnType<typeof useRedis> = useRedis(),
): (name: StackName) => RequestHandler {
  let nodeRedis: ReturnType<typeof createClient>
  beforeAll(async () => {
    nodeRedis = createClient({ url: redis.server.url }) as typeof nodeRedis
    await nodeRedis.connect()
  })
  afterAll(() => nodeRedis?.close())
  return (name) => {
    if (name === 'session()') {
      return session({ redis: redis.client, transport: cookie({ secure: false }) }) as RequestHandler
    }
    const store =
      name === 'express-session with our store'
        ? new RedisStore({ client: redis.client, prefix: 'ours:' })
        : new ConnectRedis({ client: nodeRedis })
    return expressSession({
      store,
      secret: SECRET,
      resave: false,
      saveUninitialized: false,
    }) as RequestHandler
  }
}

/** A request whose session is used as apps of express-session use it. */
// biome-ignore lint/suspicious/noExplicitAny: only the middleware under test knows what is in there
export type AnyRequest = any
