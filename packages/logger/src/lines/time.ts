let second = -1
let upToSecond = ''

/** `,"time":"2026-11-20T12:00:00.123Z"`; what is the same within a second is made once. */
export function isoTime(nowMs: number = Date.now()): string {
  const now = Math.floor(nowMs / 1_000)
  if (now !== second) {
    second = now
    upToSecond = `,"time":"${new Date(now * 1_000).toISOString().slice(0, 20)}`
  }
  const ms = nowMs - now * 1_000
  return `${upToSecond}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z"`
}

/** `,"time":1795187953445` */
export function epochTime(nowMs: number = Date.now()): string {
  return `,"time":${nowMs}`
}
