import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { errorText } from '../src/record/error-text.js'

const SECRET = 'hunter2'

/** Runs an app in a process of its own, with nobody who listens, asks it once, and returns what is on its stderr. */
function stderrOf(kind: string, env: string): Promise<string> {
  const fixture = fileURLToPath(new URL('fixtures/silent-app.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@scale/source', fixture, kind], {
    env: { ...process.env, NODE_ENV: env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk
  })
  return new Promise((resolve) => child.on('close', () => resolve(text)))
}

describe('a 5xx that nobody listens to', () => {
  it.each(['production', 'development'])('goes to stderr once, whole, with NODE_ENV=%s', async (env) => {
    const text = await stderrOf('aggregate', env)
    expect(text).toMatch(/^GET failed with 500 \(r1\): AggregateError: all failed\n {4}at /)
    for (const message of ['first member', 'second member', 'the cause', 'its cause']) {
      expect(text.split(`Error: ${message}\n`)).toHaveLength(2)
    }
  })

  it('says how another server answered, and not with which token it was asked', async () => {
    const text = await stderrOf('upstream', 'production')
    expect(text).toContain('(status: 401)')
    expect(text).not.toContain(SECRET)
  })

  it('goes there with the fault of the translation', async () => {
    const text = await stderrOf('translate', 'production')
    expect(text).toContain('Error: a fault in the translation\n')
    expect(text).toContain('Error: the original\n')
  })

  it('does not go there with a listener, nor does a 4xx', async () => {
    expect(await stderrOf('listener', 'production')).toBe('')
    expect(await stderrOf('conflict', 'production')).toBe('')
  })
})

it('writes each error once, also in a circle', () => {
  const error = new Error('round')
  error.cause = error
  const outer = new AggregateError([error, error], 'outer', { cause: error })
  expect(errorText(outer).split('Error: round\n')).toHaveLength(2)
})
