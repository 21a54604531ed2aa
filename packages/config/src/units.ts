const DURATIONS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
/** As `express.json({ limit })` counts them: a kilobyte is 1,024 bytes, however it is written. */
const SIZES = {
  ...{ b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
} as const

/**
 * A duration in ms: `250ms`, `30s`, `5m`, `1.5h`, `7d`, `2w`; a number without a unit is in ms.
 *
 * @returns `NaN` for anything else, and for what is no whole number of ms: the number of any schema refuses it
 */
export function toMs(text: string): number {
  return measured(text, DURATIONS)
}

/**
 * A size in bytes: `512b`, `100kb`, `64mb`, `1.5gb`, `2tb`, also as `64MiB`; a number without a unit is in bytes.
 *
 * @returns `NaN` for anything else, and for what is no whole number of bytes: the number of any schema refuses it
 */
export function toBytes(text: string): number {
  return measured(text, SIZES)
}

/**
 * `true`, `1`, `yes`, `on`; `false`, `0`, `no`, `off`; in any case.
 *
 * @returns `undefined` for anything else: the boolean of any schema refuses it
 */
export function toBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['true', '1', 'yes', 'on'].includes(word)) return true
  return ['false', '0', 'no', 'off'].includes(word) ? false : undefined
}

/** Exact: `1.1s` is 1,100 and not one ten-billionth more. */
function measured(text: string, units: Readonly<Record<string, number>>): number {
  const [, whole, fraction = '', unit = ''] =
    /^\s*(\d{1,16})(?:\.(\d{1,16}))?\s*([a-z]*)\s*$/i.exec(text) ?? []
  const name = unit.toLowerCase()
  if (whole === undefined || (name !== '' && !Object.hasOwn(units, name))) return Number.NaN
  const scaled = BigInt(whole + fraction) * BigInt(name === '' ? 1 : units[name]!)
  const parts = 10n ** BigInt(fraction.length)
  const result = Number(scaled / parts)
  return scaled % parts === 0n && Number.isSafeInteger(result) ? result : Number.NaN
}
