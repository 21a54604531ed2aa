import { runTool } from './run.js'

/** What `tsc` has to say about a folder or a config file; empty if there is nothing. */
export async function typeErrors(tsconfig: string): Promise<string> {
  const { code, output } = await runTool('typescript/bin/tsc', ['-p', tsconfig, '--pretty', 'false'])
  return code === 0 ? '' : output.trim() || `tsc ended with ${code}`
}
