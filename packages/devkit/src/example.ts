import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFiles, root } from './workspace.js'

const EXAMPLE = 'examples/users-profile/'

/** What is in version control of the example, by path below its folder: what whoever copies it has, all of it text. */
export function exampleFiles(): Record<string, string> {
  return Object.fromEntries(
    repositoryFiles()
      .filter((path) => path.startsWith(EXAMPLE))
      .map((path) => [path.slice(EXAMPLE.length), readFileSync(join(root, path), 'utf8')]),
  )
}
