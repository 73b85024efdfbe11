/**
 * What was made of protected headers that came before, found by the exact segment: a header repeats from call to call, and to
 * decode, parse and check it again costs more than all that is checked of the claims.
 */
export interface SeenHeaders<Reading> {
  readonly get: (segment: string) => Reading | undefined
  readonly add: (segment: string, reading: Reading) => void
}

/** Headers of one generation at most, and what their segments may take together. */
const MAX_ENTRIES = 4_096
const MAX_CHARACTERS = 2 ** 21

/**
 * Makes a memory of headers, bounded: of two generations the older one is given up as a whole when the younger is full.
 *
 * INVARIANT: what is kept depends on nothing but the segment, so that whoever filled it, it answers as reading anew would. Add
 * only headers whose signature verified: strangers must not push out the ones in use.
 */
export function createSeenHeaders<Reading>(
  maxEntries = MAX_ENTRIES,
  maxCharacters = MAX_CHARACTERS,
): SeenHeaders<Reading> {
  let young = new Map<string, Reading>()
  let old = new Map<string, Reading>()
  let characters = 0

  const keep = (segment: string, reading: Reading) => {
    if (young.size >= maxEntries || characters + segment.length > maxCharacters) {
      old = young
      young = new Map()
      characters = 0
    }
    if (segment.length > maxCharacters) return
    characters += segment.length
    young.set(segment, reading)
  }
  return {
    get(segment) {
      const found = young.get(segment)
      if (found !== undefined) return found
      const older = old.get(segment)
      // Copied: a slice would keep the whole token that it was cut from.
      if (older !== undefined) keep(copied(segment), older)
      return older
    },
    add(segment, reading) {
      if (!young.has(segment)) keep(copied(segment), reading)
    },
  }
}

const copied = (segment: string): string => Buffer.from(segment, 'latin1').toString('latin1')
