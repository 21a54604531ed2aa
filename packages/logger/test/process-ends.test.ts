import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'

const fixture = fileURLToPath(new URL('fixtures/ending.ts', import.meta.url))
const kinds = [
  ...['stdout', 'file', 'pino.destination', 'pino.destination, buffered', 'pino.transport'],
  'pino.multistream',
]
const ways = ['by itself', 'by process.exit', 'by an exception', 'by a rejection']

it.each(kinds)(
  'everything is written when a process ends, whatever way: %s',
  async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), 'scale-logger-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const written = await Promise.all(
      ways.map(async (way, index) => {
        const file = join(folder, `${index}.log`)
        const child = spawn(
          process.execPath,
          ['--conditions=@scale/source', '--import', 'tsx', fixture, kind, way, file],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        )
        let output = ''
        let errors = ''
        child.stderr.on('data', (data) => {
          errors += data
        })
        child.stdout.on('data', (data) => (output += data))
        await once(child, 'close')
        // A file that was not open yet when the process ended has its lines on stderr, beside what Node says of an error.
        const lines = (kind === 'stdout' ? output : readFileSync(file, 'utf8') + errors)
          .split('\n')
          .filter((line) => line.startsWith('{"level"'))
          .map((line) => JSON.parse(line) as { n?: number; suppressed?: number })
        return {
          way,
          numbers: lines.flatMap(({ n }) => n ?? []).sort((a, b) => a - b),
          suppressed: lines.flatMap(({ suppressed }) => suppressed ?? []),
        }
      }),
    )
    const numbers = Array.from({ length: 50 }, (_, n) => n)
    expect(written).toEqual(ways.map((way) => ({ way, numbers, suppressed: [4] })))
  },
  60_000,
)
