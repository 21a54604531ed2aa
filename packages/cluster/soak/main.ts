// The tests of what the package promises, of what is lost and of what the primary holds, with whole times (a minute for a boot, 25 s for a drain)
// and whole counts: 30 reloads, 20 kills, 1,000 recycles. Two hours. `pnpm --filter @scale/cluster soak [part of a name]…`
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const files = process.argv.length > 2 ? process.argv.slice(2) : ['promises', 'loss', 'recycles']
const options = '--config vitest.workspace.ts --project cluster --maxWorkers=1 --testTimeout=900000'.split(
  ' ',
)
const { status } = spawnSync('npx', ['vitest', 'run', ...options, ...files], {
  cwd: root,
  env: { ...process.env, SOAK: '1' },
  stdio: 'inherit',
})
process.exit(status ?? 1)
