import { InvalidArgumentError } from 'commander'

const DAY = /^\d{4}-\d{2}-\d{2}$/
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/

/** Reads a time as RFC 3339, or a day, which means its end in UTC for an end and its beginning for a beginning. */
const parseTime = (text: string, ofDay: 'T00:00:00Z' | 'T23:59:59Z'): Date => {
  const full = DAY.test(text) ? `${text}${ofDay}` : text
  const time = new Date(full)
  // `new Date` takes the 31st of February for the 3rd of March.
  const isReal = !Number.isNaN(time.getTime()) && (!DAY.test(text) || time.toISOString().startsWith(text))
  if (isReal && DATE_TIME.test(full)) return time
  throw new InvalidArgumentError(
    'Expected a day such as 2027-01-31, or a time with its offset such as 2027-01-31T17:00:00Z.',
  )
}

/** An end: a day counts whole. */
export const parseEnd = (text: string): Date => parseTime(text, 'T23:59:59Z')
/** A beginning. */
export const parseBeginning = (text: string): Date => parseTime(text, 'T00:00:00Z')

/** A whole number of a range. */
export const parseWhole =
  (min: number, max: number) =>
  (text: string): number => {
    if (/^(?:0|[1-9][0-9]{0,9})$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text)
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

/** Collects an option that may be given several times. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]
