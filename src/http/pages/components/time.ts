import { type Html, html } from '../html.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const two = (n: number) => String(n).padStart(2, '0')

/** A moment in UTC, for the server does not know where its reader is: `3 Dec 2026, 14:05 UTC`. */
export function momentText(at: Date): string {
  const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`
  return `${day}, ${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`
}

/** A moment, and how far away it is. */
export function time(at: Date, now: Date): Html {
  return html`<time datetime="${at.toISOString()}" title="${momentText(at)}">${momentText(at)}</time> <span class="dim">(${distance(at, now)})</span>`
}

/** A moment alone. */
export const moment = (at: Date): Html => html`<time datetime="${at.toISOString()}">${momentText(at)}</time>`

/** How far away alone; the moment itself is a title away. */
export const ago = (at: Date, now: Date): Html =>
  html`<time datetime="${at.toISOString()}" title="${momentText(at)}">${distance(at, now)}</time>`

const UNITS: readonly (readonly [seconds: number, word: string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
]

/** `in 3 days`, `5 minutes ago`, `just now`: rounded down, so that nothing is said to last longer than it does. */
export function distance(at: Date, now: Date): string {
  const seconds = Math.trunc((at.getTime() - now.getTime()) / 1_000)
  const [size, word] = UNITS.find(([each]) => Math.abs(seconds) >= each) ?? [1, 'second']
  const count = Math.floor(Math.abs(seconds) / size)
  if (count === 0) return 'just now'
  const words = `${count} ${word}${count === 1 ? '' : 's'}`
  return seconds > 0 ? `in ${words}` : `${words} ago`
}
