/** What is wrong with a bound in the short notation, and at which character. */
export class NotationError extends Error {
  override readonly name = 'NotationError'
  /** Index into the text. Unit: UTF-16 units. */
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** Enough to see where one is. Unit: characters. */
const MAX_BEFORE = 60
const MAX_AFTER = 40

/** The text with an arrow under the character. */
export function pointAt(text: string, at: number): string {
  const start = Math.max(0, at - MAX_BEFORE)
  const shown = text.slice(start, at + MAX_AFTER).replaceAll(/\s/g, ' ')
  const [before, after] = [start > 0 ? '…' : '', at + MAX_AFTER < text.length ? '…' : '']
  return `${before}${shown}${after}\n${' '.repeat(before.length + at - start)}^`
}
