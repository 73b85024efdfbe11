import { LRUCache } from 'lru-cache'

const KiB = 1024
/** Tokens that are remembered at most, and what they may take together; a usual one has 1 kB. */
const REMEMBERED_TOKENS = 8_192
const REMEMBERED_CHARACTERS = 12 * KiB * KiB

/** Tokens that this process signed a moment ago. */
export interface SignedHere {
  readonly remember: (token: string) => void
  /** True: it is, to the byte, a token that was signed here. False says nothing: another process may have, or it was forgotten. */
  readonly has: (token: string) => boolean
}

/**
 * Remembers what was signed, so that it need not be verified when it comes back: most tokens are asked about once, and soon.
 *
 * It stands for the signature alone. Whether the key that signed is still trusted, and everything the token says, is looked at
 * every time.
 */
export function signedHere(tokens = REMEMBERED_TOKENS, characters = REMEMBERED_CHARACTERS): SignedHere {
  const known = new LRUCache<string, string>({
    max: tokens,
    maxSize: characters,
    sizeCalculation: ({ length }) => length,
  })
  return {
    remember: (token) => known.set(signatureOf(token), token),
    // In no constant time: whoever does not have the whole signature finds nothing to compare with, and the rest is no secret.
    has: (token) => known.peek(signatureOf(token)) === token,
  }
}

const signatureOf = (token: string): string => token.slice(token.lastIndexOf('.') + 1)
