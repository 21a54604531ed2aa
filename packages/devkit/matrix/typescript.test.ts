import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entries, optionalPeers } from '../packed/entries.js'
import { install } from '../packed/installation.js'
import { npmPackage } from '../src/npm-package.js'
import { run } from '../src/run.js'

const app = readFileSync(new URL('../packed/consumer/app.js', import.meta.url), 'utf8')

/** Every entry resolves, and to its types: what is `any` takes a string as a status. */
const strict = `${entries.map((entry, index) => `import * as m${index} from '${entry}'`).join('\n')}
import { ScaleError } from '@scale/core'
export const all: object[] = [${entries.map((_, index) => `m${index}`).join(', ')}]
// @ts-expect-error: a status is a number
export const status: string = new ScaleError('', { code: 'ERR_SCALE_X' }).status
`

const resolutions = [
  { resolution: 'node16', module: 'node16', endings: ['mts', 'cts'] },
  { resolution: 'nodenext', module: 'nodenext', endings: ['mts', 'cts'] },
  { resolution: 'bundler', module: 'esnext', endings: ['ts'] },
  { resolution: 'node10', module: 'commonjs', endings: ['ts'] },
]
const versions = ['5.4', '5.5', '5.9', '6.0', '7.0']
// TypeScript 7 has no `node10`.
const rows = versions.flatMap((version) =>
  resolutions
    .filter(({ resolution }) => version !== '7.0' || resolution !== 'node10')
    .map((row) => ({ version, ...row })),
)

let folder: string
beforeAll(async () => {
  folder = await install({ express: 5, ioredis: 6, installer: 'npm' }, optionalPeers)
  for (const ending of ['ts', 'mts', 'cts']) {
    writeFileSync(join(folder, `app.${ending}`), app)
    writeFileSync(join(folder, `strict.${ending}`), strict)
  }
}, 300_000)
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

describe.each(rows)(
  'TypeScript $version, resolved as $resolution',
  ({ version, resolution, module, endings }) => {
    it('compiles', async () => {
      const config = join(folder, `tsconfig.${version}.${resolution}.json`)
      writeFileSync(
        config,
        JSON.stringify({
          compilerOptions: {
            target: 'es2022',
            module,
            moduleResolution: resolution,
            types: ['node'],
            strict: true,
            noEmit: true,
            // Declarations of others are written for other versions.
            skipLibCheck: true,
            ...(resolution === 'node10' && { esModuleInterop: true }),
            ...(resolution === 'node10' && version === '6.0' && { ignoreDeprecations: '6.0' }),
          },
          files: endings.flatMap((ending) => [`app.${ending}`, `strict.${ending}`]),
        }),
      )
      const tsc = join(await npmPackage('typescript', version), 'bin/tsc')
      expect((await run(process.execPath, [tsc, '-p', config], { cwd: folder })).output).toBe('')
    }, 180_000)
  },
)
