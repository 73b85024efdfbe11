import { randomFillSync } from 'node:crypto'

/** Drawn at once: a call of its own for every sixteen bytes costs more than all else that is done with them. */
const POOL_BYTES = 4_096
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/**
 * Random bytes as text, from the system's generator and for ids, each handed out once; for keys and seals ask `node:crypto` itself.
 *
 * @param bytes at most 64.
 */
export function pooledRandomText(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (!(bytes >= 1 && bytes <= 64)) throw new RangeError('pooled random bytes are for ids of at most 64 bytes')
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const end = used + bytes
  const text = pool.toString(encoding, used, end)
  pool.fill(0, used, end)
  used = end
  return text
}
