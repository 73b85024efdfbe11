import type { Clock, Ids } from '../ports.ts'
import { pooledRandomText } from '../wire/random.ts'

/** The one place of the server that asks for the time. */
export const systemClock: Clock = () => new Date()

/** The one place of the server that asks for chance. */
export const systemIds: Ids = {
  recordId: () => uuidV7(Date.now(), pooledRandomText(10, 'hex')),
  random: () => pooledRandomText(16, 'base64url'),
}

/**
 * A UUID whose first 48 bits are the time in milliseconds (RFC 9562 §5.7), so that ids sort by time.
 *
 * @param random ten bytes, hexadecimal; six of their bits give way to version and variant.
 */
export function uuidV7(unixMilliseconds: number, random: string): string {
  const time = unixMilliseconds.toString(16).padStart(12, '0')
  const variant = VARIANTS[Number.parseInt(random.charAt(4), 16) & 3]
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(1, 4)}-${variant}${random.slice(5, 8)}-${random.slice(8, 20)}`
}

/** Of four bits the upper two say whose layout it is (RFC 9562 §4.1). */
const VARIANTS = ['8', '9', 'a', 'b'] as const
