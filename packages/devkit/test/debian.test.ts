import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, it } from 'vitest'
import { unpackDebianPackages } from '../src/debian.js'

// Where there is no apt-get, that is what must be said.
const isDebian = existsSync('/etc/debian_version')

it('unpacks a program that runs, with the libraries it needs', async () => {
  const unpacked = unpackDebianPackages(['redis-server'])
  if (!isDebian) return expect(unpacked).rejects.toThrow('neither Debian nor Ubuntu')
  const { root, env, program } = await unpacked
  const binary = program('redis-server')!
  expect(binary.startsWith(root)).toBe(true)
  const version = execFileSync(binary, ['--version'], { env: { ...process.env, ...env }, encoding: 'utf8' })
  expect(version).toMatch(/^Redis server v=\d+\./)
  expect(program('no-such-program')).toBeUndefined()
  // Whatever the machine has of them: its libraries come along, and its C library never does.
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => basename(path))
  expect(files).toEqual(
    expect.arrayContaining([expect.stringMatching(/^libssl\.so/), expect.stringMatching(/^libjemalloc/)]),
  )
  expect(files).not.toContain('libc.so.6')
})

it('says what apt-get said', async () => {
  const unpacked = unpackDebianPackages(['no-such-package-of-any-release'])
  const said = isDebian ? /`apt-get` failed: E: / : 'neither Debian nor Ubuntu'
  await expect(unpacked).rejects.toThrow(said)
})
