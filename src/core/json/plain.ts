import type { JsonObject, JsonValue } from '../json.ts'
import { isForbiddenName, MAX_JSON_DEPTH } from './limits.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff
const isDigit = (unit: number) => unit >= 0x30 && unit <= 0x39

/** Bytes that mean nothing to `parsePlainJsonBytes` wherever they stand: nearly all that come, so they cost one look each. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, unit) =>
  unit >= 0x20 && unit < 0x80 && !['"', '\\', '.', 'E', 'e'].includes(String.fromCharCode(unit)) ? 1 : 0,
)

/**
 * What `parsePlainJson` reads, from its bytes: ASCII alone, which looks the same in every encoding that is near. A byte costs a
 * fraction of what a character of a string does, so this is tried first wherever the bytes are at hand.
 */
export function parsePlainJsonBytes(bytes: Uint8Array): JsonValue | undefined {
  let quotes = 0
  let isInString = false
  for (let i = 0; i < bytes.length; i++) {
    const unit = bytes[i] as number
    if (IS_PLAIN[unit] === 1) continue
    if (unit === QUOTE) {
      quotes++
      isInString = !isInString
    } else if (unit >= 0x80) {
      return undefined
    } else if (isInString) {
      if (unit < 0x20 || unit === BACKSLASH) return undefined
    } else if (isFraction(unit, bytes[i - 1] as number)) {
      return undefined
    }
  }
  return parsed(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), quotes)
}

/**
 * Reads JSON that is written plainly with the engine's own parser, several times as fast as the scanner; undefined for every
 * other text, right or wrong: then the scanner says what it is.
 *
 * Plain: no escape, no surrogate, no number but a safe integer. INVARIANT: for what it reads, the scanner reads the same
 * (test/property/json.test.ts). A name that occurs twice is noticed by counting: without escapes every second quote ends a
 * string, and of two members of one name the engine drops the first, its name at least.
 */
export function parsePlainJson(text: string): JsonValue | undefined {
  let quotes = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) {
      quotes++
      isInString = !isInString
    } else if (isInString) {
      if (unit < 0x20 || unit === BACKSLASH || isSurrogate(unit)) return undefined
    } else if (isFraction(unit, text.charCodeAt(i - 1))) {
      return undefined
    }
  }
  return parsed(text, quotes)
}

/** A fraction or an exponent begins outside of strings: what a double holds of it is for the scanner to say. */
const isFraction = (unit: number, before: number) =>
  unit === 0x2e || unit === 0x45 || (unit === 0x65 && isDigit(before))

function parsed(text: string, quotes: number): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text)
    return plainStrings(value, 0) * 2 === quotes ? value : undefined
  } catch {
    return undefined
  }
}

/** How many strings a value consists of, names among them; NaN when the scanner would take offence at it. */
function plainStrings(value: JsonValue, depth: number): number {
  if (typeof value === 'string') return 1
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  if (depth >= MAX_JSON_DEPTH) return Number.NaN
  let strings = 0
  if (Array.isArray(value)) {
    for (const item of value) strings += plainStrings(item, depth + 1)
    return strings
  }
  // What a polluted prototype would add makes the count wrong: then the scanner reads it.
  for (const name in value) {
    if ((name.length === 9 || name.length === 11) && isForbiddenName(name)) return Number.NaN
    const member = (value as JsonObject)[name] as JsonValue
    strings += typeof member === 'string' ? 2 : 1 + plainStrings(member, depth + 1)
  }
  return strings
}
