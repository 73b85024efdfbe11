/** One line of the table that a run ends with. */
export interface Verdict {
  readonly what: string
  readonly came: string
  /** What must be; absent where the figure is only shown. */
  readonly must?: string
  readonly isGood?: boolean
}

/** Prints the table. @returns whether everything was as it must be. */
export function printVerdicts(title: string, verdicts: readonly Verdict[]): boolean {
  const width = (of: (verdict: Verdict) => string) => Math.max(...verdicts.map((verdict) => of(verdict).length))
  const [first, second] = [width(({ what }) => what), width(({ came }) => came)]
  console.log(`\n${title}`)
  for (const { what, came, must = '', isGood } of verdicts) {
    const mark = isGood === undefined ? ' ' : isGood ? '✓' : '✗'
    console.log(`${mark} ${what.padEnd(first)}  ${came.padEnd(second)}  ${must}`.trimEnd())
  }
  return verdicts.every(({ isGood = true }) => isGood)
}

/** A line about itself on standard error, written over by the next one on a terminal. */
export function progress(line: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
}

export const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
