/** The first instant after `nowMs` that is a multiple of `everyMs`, both counted from 1970: the same for all processes. */
export function nextMultiple(everyMs: number, nowMs: number): number {
  return (Math.floor(nowMs / everyMs) + 1) * everyMs
}
