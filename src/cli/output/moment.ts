const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How far a time is from now, for people: `in 30 days`, `5 minutes ago`. */
export function distance(time: Date, now: Date): string {
  const seconds = Math.round((time.getTime() - now.getTime()) / 1_000)
  const size = Math.abs(seconds)
  if (size === 0) return 'now'
  const [count, unit] =
    size < MINUTE
      ? [size, 'second']
      : size < 2 * HOUR
        ? [Math.round(size / MINUTE), 'minute']
        : size < 2 * DAY
          ? [Math.round(size / HOUR), 'hour']
          : [Math.round(size / DAY), 'day']
  const words = `${count} ${unit}${count === 1 ? '' : 's'}`
  return seconds < 0 ? `${words} ago` : `in ${words}`
}

/** The end of the year 9999: what is later is no time that can be written. Unit: seconds. */
const LAST_SECOND = 253_402_300_799

/** A NumericDate of the API as a time; undefined for what is none. */
export function timeOf(value: unknown): Date | undefined {
  if (typeof value !== 'number' || !(value >= 0 && value <= LAST_SECOND)) return undefined
  return new Date(Math.round(value * 1_000))
}

/** A time to the second, in UTC: `2026-12-23T10:00:00Z`. Empty for what is none. */
export const instant = (value: unknown): string =>
  timeOf(value)
    ?.toISOString()
    .replace(/\.\d+Z$/, 'Z') ?? ''

/** The same and how far it is: `2026-12-23T10:00:00Z (in 30 days)`. */
export function moment(value: unknown, now: Date): string {
  const time = timeOf(value)
  return time === undefined ? '' : `${instant(value)} (${distance(time, now)})`
}

/** A time as the API takes it: NumericDate, seconds since 1970. */
export const numericDate = (time: Date): number => time.getTime() / 1_000
