import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exampleFiles } from '@scale/devkit/example'
import { typeErrors } from '@scale/devkit/typecheck'
import { describe, expect, it } from 'vitest'
import { type CreateOptions, create, FolderNotEmpty, type Part } from '../src/index.js'
import { installedApp, place } from './app.js'

const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8')
const pathsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

const selections: Part[][] = [[], ['catalogue'], ['oidc'], ['catalogue', 'oidc']]

describe.each(selections.map((parts) => ({ parts })))('with $parts', ({ parts }) => {
  it('compiles, with its tests, by its own settings, and leaves nothing unused behind', async () => {
    const folder = await installedApp({ parts })
    const config = {
      extends: './tsconfig.json',
      // The packages here are sources.
      compilerOptions: {
        customConditions: ['@scale/source'],
        typeRoots: ['./node_modules/@types'],
        noUnusedLocals: true,
        noUnusedParameters: true,
      },
    }
    writeFileSync(join(folder, 'tsconfig.here.json'), JSON.stringify(config))
    const errors = await typeErrors(join(folder, 'tsconfig.here.json'))
    expect(errors.split('\n').filter((line) => !line.includes('/packages/'))).toEqual([''])
  })

  it('says nothing of what it does not have, nor of where it comes from', async () => {
    const { folder, files } = await create({ folder: place(), parts })
    expect(files).toEqual(pathsIn(folder))
    const absent = ['catalogue', 'oidc'].filter((part) => !parts.includes(part as Part))
    const words = new RegExp(
      [...absent, 'users[-/]profile', 'naive', 'pnpm', '@scale/(?:source|devkit)', 'TODO'].join('|'),
      'i',
    )
    const found = files.flatMap((path) =>
      [path, ...read(folder, path).split('\n')]
        .filter((line) => words.test(line))
        .map((line) => `${path}: ${line}`),
    )
    expect(found).toEqual([])
  })

  it('links to files that are there', async () => {
    const { folder, files } = await create({ folder: place(), parts })
    const links = [...read(folder, 'README.md').matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!)
    expect(links.length).toBeGreaterThan(5)
    for (const link of links)
      expect(files.some((path) => path === link || path.startsWith(`${link}/`))).toBe(true)
  })
})

it('with every part is the example, but for what compares it with tutorials', async () => {
  const { files } = await create({ folder: place(), name: 'users-profile', parts: ['catalogue', 'oidc'] })
  const example = Object.keys(exampleFiles()).filter((path) => !path.includes('naive'))
  expect(files).toEqual(example.sort())
})

it('is called as its folder, or as it is told, wherever a name is', async () => {
  const one = await create({ folder: place() })
  expect(one.name).toBe('my-service')
  const { folder } = await create({ folder: place(), name: 'billing' })
  expect(JSON.parse(read(folder, 'package.json'))).toMatchObject({ name: 'billing', private: true })
  expect(read(folder, 'deploy/billing.service')).toContain('User=billing')
  expect(read(folder, 'src/main.ts')).toContain("service: 'billing'")
})

it('asks for the versions that the example has', async () => {
  const { folder } = await create({ folder: place(), parts: ['catalogue', 'oidc'] })
  const versions = (text: string) => {
    const { dependencies, devDependencies } = JSON.parse(text) as Record<string, object>
    return { dependencies, devDependencies }
  }
  expect(versions(read(folder, 'package.json'))).toEqual(versions(exampleFiles()['package.json']!))
})

it.each([
  [{ name: 'Billing' }, 'small letters'],
  [{ name: '1st' }, 'begins with a letter'],
  [{ name: 'x'.repeat(31) }, '1 to 30'],
  [{ parts: ['oidc', 'mail'] }, '`parts` must be an array'],
  [{ part: [] }, 'Did you mean `parts`'],
] as unknown as [CreateOptions, string][])('refuses %j, and writes nothing', async (options, message) => {
  const folder = place()
  await expect(create({ ...options, folder })).rejects.toThrow(message)
  expect(() => readdirSync(folder)).toThrow('ENOENT')
})

it('writes over nothing, and into a new repository', async () => {
  const folder = place()
  mkdirSync(join(folder, '.git'), { recursive: true })
  await create({ folder })
  const before = read(folder, 'package.json')
  await expect(create({ folder, name: 'other' })).rejects.toThrow(FolderNotEmpty)
  expect(read(folder, 'package.json')).toBe(before)
})
