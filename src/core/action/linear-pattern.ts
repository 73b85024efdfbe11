import { RE2JS } from 're2js'

/** Bounds on one pattern. Unit: characters, and instructions of the compiled program. */
const MAX_PATTERN_LENGTH = 1_000
const MAX_PROGRAM_SIZE = 1_000
/** A match takes time in proportion to this product, so it is what is bounded. Unit: instructions × UTF-16 units. */
const MAX_MATCH_WORK = 4_000_000

export interface LinearPattern {
  /** @throws when the text is too long for the pattern, so that a `not` around it cannot turn that into a yes. */
  test(text: string): boolean
  /** The pattern. The validator tells patterns apart by this. */
  toString(): string
}

/**
 * Compiles a pattern for an engine that takes linear time (RE2 syntax: no look-around, no back-references).
 *
 * DIVERGENCE: JSON Schema suggests ECMA-262 (JSON Schema 2020-12 §6.4). With a backtracking engine a pattern like
 * `^(a+)+$` lets an agent stop the server with thirty characters.
 *
 * @throws when the pattern is not RE2 syntax or is too large.
 */
export function compileLinearPattern(pattern: string): LinearPattern {
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Error('the pattern is too long')
  const compiled = RE2JS.compile(pattern)
  const size = compiled.re2().numberOfInstructions()
  if (typeof size !== 'number' || size > MAX_PROGRAM_SIZE) throw new Error('the pattern is too large')
  return {
    test(text) {
      if (text.length * size > MAX_MATCH_WORK) throw new Error('the text is too long for the pattern')
      return compiled.matcher(text).find()
    },
    toString: () => pattern,
  }
}

/** The same, in the form the validator asks for. */
export const linearRegExp: { (pattern: string, flags: string): LinearPattern; code: string } = Object.assign(
  (pattern: string) => compileLinearPattern(pattern),
  { code: 'linearRegExp' },
)
