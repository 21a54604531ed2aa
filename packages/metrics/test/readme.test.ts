import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as catalogue from '../src/catalogue.js'

it('the README lists every metric, with its type and labels, and no other', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const listed = [...readme.matchAll(/^\| `([a-z_]+)` +\| (counter|gauge|histogram) +\| (.*?) +\|/gm)].map(
    ([, name, type, labels]) => `${name} ${type} ${labels!.replaceAll('`', '')}`,
  )
  const defined = [
    catalogue.httpCatalogue,
    catalogue.legacyCatalogue,
    catalogue.packageCatalogue,
    catalogue.runtimeCatalogue,
    catalogue.poolCatalogue,
    catalogue.selfCatalogue,
  ]
    .flatMap((part) => Object.values(part) as catalogue.MetricDefinition[])
    .map((one) => {
      const own = one.type === 'gauge' && one.aggregate === 'worker' ? [...one.labels, 'worker'] : one.labels
      return `${one.name} ${one.type} ${own.join(', ') || 'none'}`
    })
  expect(listed.sort()).toEqual(defined.sort())
})
