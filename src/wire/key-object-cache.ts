import type { KeyObject } from 'node:crypto'
import { importPublicKey, type PublicJwk } from './jwk.ts'

/** Imported public keys, the least recently used given up first. */
export interface KeyObjectCache {
  /** The imported key, or undefined when it cannot be imported (a point off its curve). */
  readonly get: (jwk: PublicJwk) => KeyObject | undefined
}

/**
 * Makes a cache of imported keys: importing a P-256 key costs as much as verifying with it.
 *
 * A cached key is no trusted key: the cache saves work and decides nothing. An entry takes about 2.5 kB.
 */
export function createKeyObjectCache(maxEntries = 10_000): KeyObjectCache {
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) throw new RangeError('maxEntries must be a positive integer')
  // A Map iterates in insertion order, so its first key is the one that was not used for longest.
  const entries = new Map<string, KeyObject>()
  return {
    get(jwk) {
      // DECISION: found by the coordinates themselves and not by a thumbprint that is handed in: no caller can name one
      // key and be given another, and a hash is spared.
      const name = jwk.kty === 'EC' ? `${jwk.x}.${jwk.y}` : jwk.x
      const cached = entries.get(name)
      if (cached !== undefined) {
        entries.delete(name)
        entries.set(name, cached)
        return cached
      }
      const key = importPublicKey(jwk)
      if (key === undefined) return undefined
      if (entries.size >= maxEntries) {
        const [oldest] = entries.keys()
        if (oldest !== undefined) entries.delete(oldest)
      }
      entries.set(name, key)
      return key
    },
  }
}
