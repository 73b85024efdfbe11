import type { Command } from 'commander'

/**
 * What the server calls its things (16 random bytes) and a key's thumbprint (32 bytes, RFC 7638 §3) are base64url, of which one
 * in 64 begins with "-". No option is as long and has capitals, digits or "_" in it.
 */
const DASHED_ID = /^-(?=.*[A-Z\d_])(?:[\w-]{21}|[\w-]{42})$/

/**
 * Puts identifiers that begin with "-" behind a "--", so that they are not taken for options. The value of an option is left
 * where it stands, and so is a command line that has a "--" of its own.
 *
 * @param argv what stands after the program's name.
 * @param program all commands, whose options say what has a value.
 */
export function behindDashes(argv: readonly string[], program: Command): readonly string[] {
  if (argv.includes('--')) return argv
  const withValue = flagsWithValue(program)
  const isId = (word: string, n: number) => DASHED_ID.test(word) && !withValue.has(argv[n - 1] ?? '')
  const ids = argv.filter(isId)
  return ids.length === 0 ? argv : [...argv.filter((word, n) => !isId(word, n)), '--', ...ids]
}

function flagsWithValue(command: Command): ReadonlySet<string> {
  const own = command.options
    .filter((option) => option.required)
    .flatMap(({ short, long }) => [short ?? '', long ?? ''])
  return new Set([...own, ...command.commands.flatMap((child) => [...flagsWithValue(child)])])
}
