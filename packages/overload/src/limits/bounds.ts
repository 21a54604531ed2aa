import { InvalidOption } from '@scale/core'

/** @throws {InvalidOption} not `min` ≤ `initial` ≤ `max` */
export function assertBounds(owner: string, bounds: { initial: number; min: number; max: number }): void {
  const { initial, min, max } = bounds
  if (min <= initial && initial <= max) return
  throw new InvalidOption(
    `${owner}: \`min\` ≤ \`initial\` ≤ \`max\` must hold, not ${min} ≤ ${initial} ≤ ${max}.`,
  )
}
