import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { expect, it } from 'vitest'
import { through } from '../src/pauses/pause.js'
import { startSubjects } from '../src/pauses/subjects.js'

it('in a pause nothing is refused by default, and what can do without Redis does not wait for it', async () => {
  const server = await testRedis()
  const subjects = await startSubjects(server.url)
  const outcomes = await through(subjects.all, async () => {
    server.pause()
    await sleep(300)
    server.resume()
  })
  await subjects.close()
  await server.stop()
  const ends = [...outcomes].map(([name, { counts }]) => [name, counts.refused, counts.without > 0])
  expect(ends).toEqual([
    ['session, read', 0, false],
    ['session, changed', 0, false],
    ['quota, `closed`', 0, false],
    ['quota, `open`', 0, true],
    ['quota, `local`', 0, true],
    ['cache', 0, true],
  ])
})
