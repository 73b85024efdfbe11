import canonicalize from 'canonicalize'
import { MAX_JSON_BYTES } from './json/limits.ts'
import { parsePlainJson, parsePlainJsonBytes } from './json/plain.ts'
import { MalformedJson, scanJson } from './json/scanner.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Any JSON value. Objects are plain; look names up with `Object.hasOwn`, for a name may be `toString`. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

export { isForbiddenName, MAX_JSON_BYTES, MAX_JSON_DEPTH } from './json/limits.ts'

export interface ParseJsonOptions {
  /** Unit: bytes of UTF-8; for text, too. */
  readonly maxBytes?: number
}

/**
 * Parses JSON text (RFC 8259) so that everyone who reads it reads the same thing (I-JSON, RFC 7493 §2).
 *
 * The only JSON parser for what a caller sent. Beyond the grammar it refuses: a byte order mark, invalid UTF-8, duplicate
 * names, names that reach a prototype, U+0000 and lone surrogates (raw or escaped), integers beyond ±(2^53−1), numbers
 * whose decimal value is not the one a double prints, −0, more than 32 levels, more than `maxBytes` (default 64 KiB).
 * Linear in the length of the input.
 */
export function parseJson(
  input: string | Uint8Array,
  { maxBytes = MAX_JSON_BYTES }: ParseJsonOptions = {},
): JsonValue | Refusal<'json_malformed'> {
  if (input.length > maxBytes) return refuse('json_malformed', 'the JSON text is too large')
  try {
    const fromBytes = typeof input === 'string' ? undefined : parsePlainJsonBytes(input)
    if (fromBytes !== undefined) return fromBytes
    const text = typeof input === 'string' ? input : decodeUtf8(input)
    // No character takes more than three bytes for each of its units: most text need not be counted.
    if (typeof input === 'string' && 3 * input.length > maxBytes && utf8Bytes(input) > maxBytes) {
      return refuse('json_malformed', 'the JSON text is too large')
    }
    const plain = parsePlainJson(text)
    return plain === undefined ? scanJson(text) : plain
  } catch (error) {
    if (error instanceof MalformedJson) return refuse('json_malformed', error.message)
    throw error
  }
}

/** The canonical form (RFC 8785 §3). Throws on what JSON does not have: NaN, a lone surrogate, a cycle. */
export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('not a JSON value')
  return text
}

/** Whether two JSON values are equal: same types, same members whatever their order, same elements in the same order. */
export function jsonEquals(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isJsonArray(a)) {
    return isJsonArray(b) && a.length === b.length && a.every((item, i) => jsonEquals(item, b[i] as JsonValue))
  }
  if (isJsonArray(b)) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && jsonEquals(a[name] as JsonValue, b[name] as JsonValue))
}

/** `Array.isArray`, which does not know readonly arrays. */
export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member, when the object has it itself. */
export function ownMember(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new MalformedJson('the JSON text is not UTF-8')
  }
}

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A surrogate pair is two units and four bytes, so each of its units counts one more.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2
  }
  return bytes
}
