import type { Clock, Ids } from '../ports.ts'
import { pooledRandomBytes } from '../wire/random.ts'

/** The one place of the server that asks for the time. */
export const systemClock: Clock = () => new Date()

/** The one place of the server that asks for chance. */
export const systemIds: Ids = {
  recordId: () => uuidV7(Date.now(), pooledRandomBytes(16)),
  random: () => pooledRandomBytes(16).toString('base64url'),
}

/** A UUID whose first 48 bits are the time in milliseconds (RFC 9562 §5.7), so that ids sort by time. */
export function uuidV7(unixMilliseconds: number, random: Uint8Array): string {
  const bytes = Buffer.from(random)
  bytes.writeUIntBE(unixMilliseconds, 0, 6)
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
