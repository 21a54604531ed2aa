import { createHash } from 'node:crypto'

/** Repeatable randomness. */
export interface Random {
  /** From 0 up to, not including, 1. */
  unit(): number
  /** An integer from 0 up to, not including, `below`. */
  integer(below: number): number
  oneOf<Value>(values: readonly Value[]): Value
  /** A waiting time, exponentially distributed, in whole units of at least 0. */
  exponential(mean: number): number
}

/** The same sequence for the same seed (splitmix32). */
export function random(seed: string): Random {
  let state = createHash('sha256').update(seed).digest().readUInt32LE()
  const unit = (): number => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
  return {
    unit,
    integer: (below) => Math.floor(unit() * below),
    oneOf: (values) => values[Math.floor(unit() * values.length)]!,
    exponential: (mean) => Math.floor(-Math.log(1 - unit()) * mean),
  }
}
