const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec'
const IMF = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/i
const RFC_850 =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/i
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([\d ]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/i

/**
 * Reads a date in one of the three forms of RFC 9110 §5.6.7, in any case (RFC 9111 §4.2), and in no other form:
 * `Date.parse` takes far more, and what two programs read apart must not decide a lifetime.
 *
 * @returns epoch ms, or `undefined`
 */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const imf = IMF.exec(text)
  if (imf) return utc(imf[3]!, imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!)
  const old = RFC_850.exec(text)
  if (old) return utc(fullYear(old[3]!), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!)
  const asctime = ASCTIME.exec(text)
  if (asctime) return utc(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!)
  return undefined
}

/** A year of two digits that would be more than 50 years ahead is in the past (RFC 9110 §5.6.7). */
function fullYear(two: string): string {
  const thisYear = new Date().getUTCFullYear()
  const year = Math.floor(thisYear / 100) * 100 + Number(two)
  return String(year > thisYear + 50 ? year - 100 : year)
}

function utc(
  year: string,
  month: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number | undefined {
  const at = MONTHS.indexOf(month.toLowerCase())
  if (at < 0 || at % 3 !== 0) return undefined
  const [d, h, m, s] = [Number(day), Number(hour), Number(minute), Number(second)]
  if (d < 1 || d > 31 || h > 23 || m > 59 || s > 60) return undefined
  return Date.UTC(Number(year), at / 3, d, h, m, s)
}
