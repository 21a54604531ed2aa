import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './workspace.js'

/** How a program ended. */
export interface Ended {
  /** Exit code; 128 or more if a signal ended it. */
  code: number
  /** Standard output alone. */
  stdout: string
  /** Standard output and standard error, as they came. */
  output: string
}

/** Runs a program without standard input and waits for its end. Never throws for an exit code. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      // pnpm tells what it runs where its own packages are: others would find what they did not install.
      env: { ...process.env, NODE_PATH: '', FORCE_COLOR: '0', NO_COLOR: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({
        code: code ?? 128,
        stdout,
        output: signal === null ? output : `${output}\nended by ${signal}`,
      })
    })
  })
}

/** Runs a JavaScript program of a package that the root depends on: `runTool('typescript/bin/tsc', ['-p', 'x'])`. */
export function runTool(
  script: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return run(process.execPath, [join(root, 'node_modules', script), ...args], options)
}

/** Runs pnpm as the README does, which needs nothing but npm. */
export function pnpm(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return run('npx', ['--yes', 'pnpm', ...args], options)
}
