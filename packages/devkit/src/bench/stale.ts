import { isBuilt } from '../packing.js'
import { pnpm } from '../run.js'
import { publishedPackages } from '../workspace.js'

/** Builds the packages, if one has changed since its last build: a bench measures what users install. */
export async function buildIfStale(): Promise<void> {
  if (publishedPackages().every(isBuilt)) return
  const { code, output } = await pnpm(['build'])
  if (code !== 0) throw new Error(`pnpm build ended with ${code}:\n${output}`)
}
