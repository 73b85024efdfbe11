import { hash, randomBytes } from 'node:crypto'

/**
 * A set of texts, each until a second of its own, in 16 bytes a place: 96 bits of a keyed digest and the second.
 *
 * The key of the digest is random and stays in the process: nobody can choose texts that meet. A text that is in the set is
 * always found; one that is not is taken for another with a probability of 2^-104 for each other.
 */
export interface ExpiringDigests {
  readonly digest: (text: string) => Digest
  /** Whether it is in the set, at `second` or later. */
  readonly has: (digest: Digest, second: number) => boolean
  /** Adds what `has` did not find, until the end of second `until`; the place of something that ended before `second` is free. */
  readonly add: (digest: Digest, until: number, second: number) => void
  /** Gives back the memory of what ended before `second`, in the next few shards; all of them take `SHARDS / SWEEP_SHARDS` calls. */
  readonly sweep: (second: number) => void
}

/** What stands for a text: eight bits that choose a shard, and 96 that are kept. */
export interface Digest {
  readonly shard: number
  readonly words: readonly [number, number, number]
}

/** The last second there is: 2106. What should stay for longer stays until then. */
export const LAST_SECOND = 2 ** 32 - 1

/** Each grows and shrinks alone, so that no request waits while everything is copied. */
const SHARDS = 256
const SWEEP_SHARDS = 8
/** Four words of 32 bits a place: three of the digest, then the second; 0 where nothing is. */
const WORDS = 4
const MIN_PLACES = 8
/** How full a shard may get, and how full it is after it was copied. Between them it has 20 to 25 bytes for each text. */
const MAX_LOAD = 0.8
const COPIED_LOAD = 0.64
/** From which share of ended texts on a shard is copied to be rid of them. */
const MAX_ENDED = 0.25

interface Shard {
  readonly places: number
  readonly words: Uint32Array
  /** Places that hold something, ended or not. */
  used: number
}

export function createExpiringDigests(): ExpiringDigests {
  const secret = randomBytes(32).toString('base64url')
  const shards: (Shard | undefined)[] = new Array(SHARDS).fill(undefined)
  let swept = 0

  /** A copy with room for one more, without what has ended. */
  function copied(from: Shard | undefined, second: number): Shard {
    const live = from === undefined ? 0 : countLive(from, second)
    const places = Math.max(MIN_PLACES, Math.ceil((live + 1) / COPIED_LOAD))
    const to: Shard = { places, words: new Uint32Array(places * WORDS), used: 0 }
    for (let at = 0; from !== undefined && at < from.words.length; at += WORDS) {
      const { words } = from
      const until = word(words, at + 3)
      if (until !== 0 && until >= second) {
        put(to, [word(words, at), word(words, at + 1), word(words, at + 2)], until, second)
      }
    }
    return to
  }

  return {
    digest(text) {
      const bytes = hash('sha256', secret + text, 'binary')
      return { shard: bytes.charCodeAt(0), words: [wordAt(bytes, 4), wordAt(bytes, 8), wordAt(bytes, 12)] }
    },
    has({ shard, words: [a, b, c] }, second) {
      const found = shards[shard]
      if (found === undefined) return false
      const { words } = found
      for (let at = homeOf(a, found); ; at = next(at, words)) {
        const until = word(words, at + 3)
        // A shard is never full, so every search comes to an end.
        if (until === 0) return false
        if (until >= second && word(words, at) === a && word(words, at + 1) === b && word(words, at + 2) === c)
          return true
      }
    },
    add({ shard, words }, until, second) {
      const found = shards[shard]
      const hasRoom = found !== undefined && found.used + 1 <= found.places * MAX_LOAD
      const roomy = hasRoom ? found : copied(found, second)
      shards[shard] = roomy
      put(roomy, words, until, second)
    },
    sweep(second) {
      for (let i = 0; i < SWEEP_SHARDS; i++) {
        const shard = shards[swept]
        if (shard !== undefined) {
          const live = countLive(shard, second)
          if (live === 0) shards[swept] = undefined
          else if (shard.used - live > shard.used * MAX_ENDED) shards[swept] = copied(shard, second)
        }
        swept = (swept + 1) % SHARDS
      }
    },
  }
}

/** 32 bits of a string whose characters are bytes. */
const wordAt = (bytes: string, at: number): number =>
  (bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)) >>>
  0

function put(shard: Shard, [a, b, c]: Digest['words'], until: number, second: number): void {
  const { words } = shard
  let at = homeOf(a, shard)
  for (;;) {
    const there = word(words, at + 3)
    if (there === 0) shard.used++
    if (there < second || there === 0) break
    at = next(at, words)
  }
  words[at] = a
  words[at + 1] = b
  words[at + 2] = c
  words[at + 3] = until
}

function countLive({ words }: Shard, second: number): number {
  let live = 0
  for (let at = 3; at < words.length; at += WORDS) {
    const until = word(words, at)
    if (until !== 0 && until >= second) live++
  }
  return live
}

/** Where the search for a digest begins: its first word, scaled to the number of places. */
const homeOf = (first: number, { places }: Shard): number => Math.floor((first / 2 ** 32) * places) * WORDS

const next = (at: number, words: Uint32Array): number => (at + WORDS === words.length ? 0 : at + WORDS)

/** Every index here is inside the array. */
const word = (words: Uint32Array, at: number): number => words[at] as number
