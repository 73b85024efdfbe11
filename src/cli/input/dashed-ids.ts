import type { Command } from 'commander'

/**
 * A token's `jti` (16 random bytes) and a key's thumbprint (32 bytes, RFC 7638 §3) are base64url, of which one in 64 begins with
 * "-". No option is as long and has capitals, digits or "_" in it.
 */
const DASHED_ID = /^-(?=.*[A-Z\d_])(?:[\w-]{21}|[\w-]{42})$/

/**
 * Writes a command line so that commander takes no identifier for an option: one that begins with "-" goes behind a "--".
 *
 * What is left as it came: a line with a "--" of its own, one whose last option lacks its value, and one that has another word
 * after the identifier, whose place among the arguments would change.
 *
 * @param argv what stands after the program's name.
 * @param program all commands, whose options say what has a value.
 */
export function tellIdsFromOptions(argv: readonly string[], program: Command): readonly string[] {
  if (argv.includes('--')) return argv
  const withValue = flagsWithValue(program)
  const words: string[] = []
  let id: string | undefined
  for (let n = 0; n < argv.length; n++) {
    const word = argv[n] as string
    if (withValue.has(word)) {
      const value = argv[++n]
      if (value === undefined) return argv
      words.push(word, value)
    } else if (id === undefined && DASHED_ID.test(word)) {
      id = word
    } else {
      if (id !== undefined && !word.startsWith('-')) return argv
      words.push(word)
    }
  }
  return id === undefined ? argv : [...words, '--', id]
}

function flagsWithValue(command: Command): ReadonlySet<string> {
  const own = command.options
    .filter((option) => option.required)
    .flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined))
  return new Set([...own, ...command.commands.flatMap((child) => [...flagsWithValue(child)])])
}
