import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exampleFiles } from '@scale/devkit/example'
import { onTestFinished, vi } from 'vitest'
import { type CreateOptions, create } from '../src/index.js'

// As the build does.
vi.stubGlobal('EXAMPLE_FILES', exampleFiles())

/** A place for an app, for one test. */
export function place(): string {
  const parent = mkdtempSync(join(tmpdir(), 'scale-create-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  return join(parent, 'my-service')
}

/** An app that has installed what the example has. */
export async function installedApp(options: Omit<CreateOptions, 'folder'> = {}): Promise<string> {
  const { folder } = await create({ folder: place(), ...options })
  symlinkSync(
    new URL('../../../examples/users-profile/node_modules', import.meta.url),
    join(folder, 'node_modules'),
  )
  return folder
}
