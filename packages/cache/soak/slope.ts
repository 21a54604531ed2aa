/** The line that fits the points best by least squares: its slope, and the standard error of that. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): {
  perMs: number
  errorPerMs: number
} {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const sumXX = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const perMs = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / sumXX
  const residue = points.reduce((sum, [x, y]) => sum + (y - meanY - perMs * (x - meanX)) ** 2, 0)
  return { perMs, errorPerMs: Math.sqrt(residue / Math.max(1, points.length - 2) / sumXX) }
}
