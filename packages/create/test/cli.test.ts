import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { main } from '../src/cli/cli.js'
import { place } from './app.js'

let printed = ''
beforeEach(() => {
  printed = ''
  const print = (text: unknown): boolean => {
    printed += text
    return true
  }
  vi.spyOn(process.stdout, 'write').mockImplementation(print)
  vi.spyOn(process.stderr, 'write').mockImplementation(print)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

it('makes an app where it is told, with the parts that it is told, and says how to go on', async () => {
  const folder = place()
  await main([folder, '--name', 'billing', '--with', 'oidc, catalogue'])
  expect(printed).toMatch(/^billing: \d+ files in .*\n\n {2}cd .*my-service\n {2}npm install\n {2}npm test\n/)
  expect(existsSync(join(folder, 'src/controllers/oidc.ts'))).toBe(true)
  expect(existsSync(join(folder, 'src/controllers/catalogue.ts'))).toBe(true)
  expect(process.exitCode).toBeUndefined()
})

it.each([
  [['--with', 'everything'], '`parts` must be an array'],
  [['--name', 'A'], 'small letters'],
  [['--force'], "Unknown option '--force'"],
  [['another'], 'npm create'],
])('says in a line what is wrong with %j, and ends with 2', async (args, message) => {
  const folder = place()
  await main([folder, ...args])
  expect(printed).toContain(message)
  expect(printed).not.toContain('    at ')
  expect(process.exitCode).toBe(2)
  expect(existsSync(folder)).toBe(false)
})

it('helps who asks, and who says nothing where nobody can be asked', async () => {
  await main(['--help'])
  expect(printed).toContain('--with <parts>')
  expect(process.exitCode).toBe(0)
  await main([])
  expect(process.exitCode).toBe(2)
})

it('names a folder as the user sees it', async () => {
  const folder = place()
  vi.spyOn(process, 'cwd').mockReturnValue(dirname(folder))
  await main([folder])
  expect(printed).toContain(`  cd ${basename(folder)}\n`)
})
