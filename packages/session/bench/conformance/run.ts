import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'

// Runs the suite of express-session itself with our store in the place of its own: `pnpm conformance <checkout>`, with a
// checkout of expressjs/session whose dependencies are installed.

const [given] = process.argv.slice(2)
const checkout = resolve(given ?? '')
if (given === undefined || !existsSync(`${checkout}/node_modules/mocha`)) {
  throw new Error('Name a checkout of expressjs/session whose dependencies are installed.')
}
// One test wants certificates, which the suite makes of itself.
spawnSync(resolve(checkout, 'test/support/gencert.sh'), { cwd: checkout })
const redis = await testRedis()
try {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const { status } = spawnSync(
    process.execPath,
    [
      ...['--import', tsx, '--conditions=@scale/source'],
      ...['--import', new URL('./our-store.ts', import.meta.url).href],
      ...[fileURLToPath(pathToFileURL(`${checkout}/node_modules/mocha/bin/mocha.js`)), '--exit'],
      ...['--require', 'test/support/env', '--reporter', 'dot', 'test/'],
    ],
    {
      cwd: checkout,
      stdio: 'inherit',
      env: { ...process.env, CONFORMANCE_REDIS_URL: redis.url, CONFORMANCE_CHECKOUT: checkout },
    },
  )
  process.exitCode = status ?? 1
} finally {
  await redis.stop()
}
