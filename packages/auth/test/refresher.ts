import { createRedis, whenReady } from '@scale/redis'
import { signingKeys, tokenIssuer } from '../src/index.js'

// A process of its own that refreshes what it is told to: `{ token, count }` in, the answers out.

const [url, key] = process.argv.slice(2) as [string, string]
const redis = createRedis(url, { guard: { deadlineMs: 5_000 } })
await whenReady(redis, 5_000)
const issuer = tokenIssuer({
  issuer: 'https://issuer.example/',
  audience: 'api',
  keys: signingKeys(key),
  redis,
})

process.on('message', async ({ token, count }: { token: string; count: number }) => {
  const answers = await Promise.all(
    Array.from({ length: count }, () =>
      issuer.refresh(token).then(
        ({ refresh_token }) => refresh_token,
        (error: Error) => error.name,
      ),
    ),
  )
  process.send!(answers)
})
process.send!('ready')
