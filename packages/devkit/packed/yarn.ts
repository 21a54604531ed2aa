import { join } from 'node:path'
import { npmPackage } from '../src/npm-package.js'
import { type Ended, run } from '../src/run.js'

let registry: Promise<string> | undefined

/** Runs yarn of a major, with the registry that npm has. */
export async function yarn(
  version: 1 | 4,
  folder: string,
  args: readonly string[],
  others: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  registry ??= run('npm', ['config', 'get', 'registry']).then(({ stdout }) => stdout.trim())
  const url = await registry
  const tool = version === 1 ? ['yarn', '1', 'bin/yarn.js'] : ['@yarnpkg/cli-dist', '4', 'bin/yarn.js']
  const program = join(await npmPackage(tool[0]!, tool[1]!), tool[2]!)
  const env: Record<string, string> = {
    YARN_NPM_REGISTRY_SERVER: url,
    YARN_UNSAFE_HTTP_WHITELIST: `${new URL(url).hostname},127.0.0.1`,
    YARN_ENABLE_TELEMETRY: '0',
    YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
    YARN_ENABLE_SCRIPTS: '0',
    npm_config_registry: url,
  }
  return run(process.execPath, [program, ...args], { cwd: folder, env: { ...env, ...others } })
}
