import { readFileSync } from 'node:fs'
import { createPackageFromTarballData } from '@arethetypeswrong/core'
import { describe, expect, it } from 'vitest'
import { tarballOf } from '../src/packing.js'
import { type Entry, type Manifest, publishedPackages } from '../src/workspace.js'

function targetsOf(entry: Entry): string[] {
  return typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(targetsOf)
}

describe.each(publishedPackages())('the tarball of $path', (project) => {
  const open = () => {
    const content = createPackageFromTarballData(new Uint8Array(readFileSync(tarballOf(project))))
    const prefix = `/node_modules/${content.packageName}/`
    return {
      files: content.listFiles().map((path) => path.slice(prefix.length)),
      manifest: JSON.parse(content.readFile(`${prefix}package.json`)) as Manifest,
    }
  }

  it('holds the build, README, LICENSE and package.json, and nothing else', () => {
    const { files } = open()
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'package.json', 'dist/index.js']))
    expect(files.filter((file) => !/^(dist\/.*|README\.md|LICENSE|package\.json)$/.test(file))).toEqual([])
  })

  it('has a file for everything that it exports', () => {
    const { files, manifest } = open()
    const targets = Object.values(manifest.exports ?? {}).flatMap(targetsOf)
    expect(targets.length).toBeGreaterThan(1)
    expect(targets.filter((target) => !files.includes(target.replace('./', '')))).toEqual([])
  })

  it('knows nothing of the workspace', () => {
    const { exports, dependencies, peerDependencies, version } = open().manifest
    expect(JSON.stringify({ exports, dependencies, peerDependencies })).not.toMatch(
      /workspace:|catalog:|\/src\b|@scale\/source/,
    )
    for (const [name, range] of Object.entries(dependencies ?? {})) {
      if (name.startsWith('@scale/')) expect(range).toBe(version)
    }
  })
})
