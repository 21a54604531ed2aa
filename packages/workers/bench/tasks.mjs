/** Computes for so long. */
export function compute(ms) {
  const until = performance.now() + ms
  let sum = 0
  while (performance.now() < until) sum += Math.sqrt(sum + 1)
  return sum
}

export function echo(input) {
  return input
}
