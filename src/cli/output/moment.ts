const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How far a time is from now, for people: `in 30 days`, `5 minutes ago`. */
export function distance(time: Date, now: Date): string {
  const seconds = Math.round((time.getTime() - now.getTime()) / 1_000)
  const size = Math.abs(seconds)
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

/** A time of the API, to the second, in UTC, and how far it is: `2026-12-23T10:00:00Z (in 30 days)`. */
export function moment(text: string, now: Date): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) return text
  return `${time.toISOString().replace(/\.\d+Z$/, 'Z')} (${distance(time, now)})`
}
