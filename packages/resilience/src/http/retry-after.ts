/**
 * What `Retry-After` asks for: seconds, or a date.
 *
 * @param nowMs  epoch ms
 * @returns ms ≥ 0; 0 if it says nothing that can be understood
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(value: string | null, nowMs: number): number {
  if (value === null) return 0
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1_000
  // `Date.parse` takes almost anything for a date.
  const at = /^[A-Z][a-z]+, .* GMT$/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs)
}
