import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { redisOnPath } from '../redis-program.js'

// Runs the example from the sources of the packages. A folder copied out of the repository runs by its own `dev` script, which
// does the same but for this: a Redis server that can be had without installing it is put on its PATH.

const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
  cwd: fileURLToPath(new URL('../../../../examples/users-profile', import.meta.url)),
  env: {
    ...process.env,
    ...(process.env.REDIS_URL ? {} : await redisOnPath()),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --conditions=@scale/source`.trim(),
  },
  stdio: 'inherit',
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  throw error
})
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 1
  if (signal !== null) process.kill(process.pid, signal)
})
