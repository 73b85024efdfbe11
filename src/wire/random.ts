import { randomFillSync } from 'node:crypto'

/** Drawn at once: a call of its own for every sixteen bytes costs more than all else that is done with them. */
const POOL_BYTES = 4_096
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/**
 * Bytes from the system's generator for ids, each handed out once; for keys and seals ask `node:crypto` itself.
 *
 * @param count at most 64.
 */
export function pooledRandomBytes(count: number): Buffer {
  if (!(count >= 1 && count <= 64)) throw new RangeError('pooled random bytes are for ids of at most 64 bytes')
  if (used + count > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + count))
  pool.fill(0, used, used + count)
  used += count
  return bytes
}
