import { expect, test } from 'vitest'
import { compareCalls, compareServers, shareOf, shareOnTop } from '../src/bench/index.js'
import { calls, servers } from './fixtures/variants.js'

const module = new URL('./fixtures/variants.ts', import.meta.url).href
const effort = { packages: false, generations: 1, rounds: 4, requests: 100, connections: 4, warmUp: 100 }

test('a server that works more for each answer is seen to cost more, and answers what it is asked', async () => {
  const answers: unknown[] = []
  const costs = await compareServers({
    ...effort,
    module,
    variants: servers,
    only: ['slow'],
    afterwards: async (name, ask) => {
      answers.push(await ask(name))
    },
  })
  expect([...costs.keys()]).toEqual(['quick', 'slow'])
  expect(shareOnTop(costs, 'slow', 'quick').median).toBeGreaterThan(1)
  expect(answers).toEqual(['quick', 'slow'])
})

test('an answer that is not the wanted one ends the bench', async () => {
  const contest = compareServers({ ...effort, module, variants: servers, only: ['broken'] })
  await expect(contest).rejects.toThrow(/broken: not .*HTTP\/1\.1 500/s)
})

test('a name that no variant has ends the bench', async () => {
  const contest = compareServers({ ...effort, module, variants: servers, only: ['brokn'] })
  await expect(contest).rejects.toThrow("There is no variant 'brokn'. There are: quick; slow; broken")
})

test('calls are compared beyond what the loop itself costs', async () => {
  const costs = await compareCalls({ ...effort, module, variants: calls, only: [] })
  expect(shareOf(costs, 'one', 'one', 'nothing').median).toBe(1)
  const { median } = shareOf(costs, 'three', 'one', 'nothing')
  expect(median).toBeGreaterThan(2)
  expect(median).toBeLessThan(4.5)
})
