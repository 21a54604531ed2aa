import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import { embeddedDatabase } from '../src/development/embedded-database.js'

const folder = mkdtempSync(join(tmpdir(), 'users-profile-'))

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

it('is one server for all who ask at once', async () => {
  const copies = await Promise.all([1, 2, 3].map(() => embeddedDatabase(folder)))
  expect(new Set(copies.map(({ url }) => url)).size).toBe(1)
  await query(copies[0]!.url, 'CREATE TABLE notes (text text)')
  await query(copies[1]!.url, "INSERT INTO notes VALUES ('kept')")
  for (const copy of copies) copy.release()
}, 60_000)

it('stays for as long as somebody holds it, however silently', async () => {
  const copy = await embeddedDatabase(folder, { greetingTimeoutMs: 500 })
  // Longer than the time limit of the greeting and than it outlives its last user (2 s), together.
  await new Promise((resolve) => setTimeout(resolve, 4_000))
  expect(await query(copy.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }])
  copy.release()
}, 60_000)

it('serves whoever comes while it ends, and has kept everything', async () => {
  // It ends two seconds after the last has left: ask around that moment, again and again.
  for (let round = 0; round < 3; round++) {
    const early = await embeddedDatabase(folder)
    early.release()
    await new Promise((resolve) => setTimeout(resolve, 1_990 + round * 20))
    const copy = await embeddedDatabase(folder)
    expect(await query(copy.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }])
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await query(copy.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }])
    copy.release()
  }
}, 90_000)
