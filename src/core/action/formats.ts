import { parseCanonicalUrl } from './canonical-url.ts'
import { parseEmailAddress } from './email-address.ts'

/**
 * The values of `format` that an action type may use, all of them asserted (JSON Schema 2020-12 §7.2.2), each by a check
 * that takes linear time. Another format is refused: one that nobody checks would promise what does not hold.
 * `canonical-url` is ours.
 */
export const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'canonical-url': (text) => parseCanonicalUrl(text) !== undefined,
  email: (text) => parseEmailAddress(text) !== undefined,
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(text) && !/[\\"<>^`{|}]/.test(text) && URL.canParse(text),
  uuid: (text) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
  date: isDate,
  'date-time': isDateTime,
}

/** Formats of strings whose parts have a meaning of their own: there a `$prefix` or `$suffix` bounds nothing. */
export const STRUCTURED_FORMATS: ReadonlySet<string> = new Set(['canonical-url', 'email', 'uri'])

/** A full-date (RFC 3339 §5.6). */
function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return false
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number]
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** A date-time (RFC 3339 §5.6), in upper case and with an offset. Leap seconds are refused: most clocks have none. */
function isDateTime(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))$/.exec(text)
  if (match === null || !isDate(match[1] ?? '')) return false
  const [hour, minute, second, offsetHour = 0, offsetMinute = 0] = match.slice(2).map((part) => Number(part ?? 0))
  return Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59 && offsetHour <= 23 && offsetMinute <= 59
}
