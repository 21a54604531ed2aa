import type { FamilySnapshot, Labels } from '../../src/index.js'

/** The number of observations, or the value, of each series of a metric, by its labels as text. */
export function seriesIn(families: readonly FamilySnapshot[], name: string): Record<string, number> {
  const family = families.find((one) => one.name === name)
  return Object.fromEntries(
    (family?.series ?? []).map(({ labels, values }) => [
      labelText(labels),
      family!.type === 'histogram' ? values.slice(0, -1).reduce((sum, count) => sum + count, 0) : values[0]!,
    ]),
  )
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')
}
