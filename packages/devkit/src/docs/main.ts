import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromRoot, publishedPackages, root } from '../workspace.js'
import { referenceOf } from './reference.js'

// `pnpm run docs`: the API reference of each package, for reading. Not in version control: the docstrings are.

const folder = join(root, 'docs/api')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const project of publishedPackages()) {
  const path = join(folder, `${project.name}.md`)
  writeFileSync(path, `${referenceOf(project)}\n`)
  console.log(fromRoot(path))
}
