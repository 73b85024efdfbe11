/** The last DPoP nonce of each origin (RFC 9449 §8, §8.2). Shared by everything one agent does. */
export interface Nonces {
  readonly of: (origin: string) => string | undefined
  /** Remembers what an answer of the origin offers, and says which it is. */
  readonly notice: (origin: string, headers: Headers) => string | undefined
}

const MAX_ORIGINS = 100
const MAX_CHARACTERS = 512

export function createNonces(): Nonces {
  const last = new Map<string, string>()
  return {
    of: (origin) => last.get(origin),
    notice(origin, headers) {
      const nonce = headers.get('dpop-nonce')
      // (RFC 9449 §8.1); several headers are joined with a space, which no nonce has.
      if (nonce === null || nonce.length > MAX_CHARACTERS || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(nonce)) {
        return undefined
      }
      // Set anew, so that the first entry is the one that was least recently offered.
      last.delete(origin)
      last.set(origin, nonce)
      for (const [oldest] of last) {
        if (last.size <= MAX_ORIGINS) break
        last.delete(oldest)
      }
      return nonce
    },
  }
}
