import { masked } from './masked.js'
import type { Given } from './sources/variables.js'

/** What is set from where, one variable a line, in aligned columns; secrets are masked. */
export function configTable(
  values: Readonly<Record<string, unknown>>,
  { sources }: Given,
  secrets: readonly string[],
): string {
  const rows = Object.entries(values).map(([name, value]) => {
    const source = sources.get(name)
    if (value === undefined) return [name, '', 'not set']
    return [name, masked(name, value, secrets), source ?? 'default']
  })
  const all = [['variable', 'value', 'from'], ...rows] as [string, string, string][]
  const width = (column: 0 | 1): number => Math.max(...all.map((row) => row[column].length))
  const [names, shown] = [width(0), width(1)]
  return all.map(([name, value, from]) => `${name.padEnd(names)}  ${value.padEnd(shown)}  ${from}\n`).join('')
}
