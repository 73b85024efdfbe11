import canonicalize from 'canonicalize'
import { type Refusal, refuse } from './refusal.ts'

/** Any JSON value. Objects are plain; look names up with `Object.hasOwn`, for a name may be `toString`. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

const KiB = 1024

/** How deep arrays and objects may nest, and how large a document may be. Unit of the second: bytes of UTF-8. */
export const MAX_JSON_DEPTH = 32
export const MAX_JSON_BYTES = 64 * KiB

/** Names that reach an object's prototype in careless code, ours or a resource server's. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Whether a JSON object may have a member of this name. */
export function isForbiddenName(name: string): boolean {
  return FORBIDDEN_NAMES.has(name)
}

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
    const text = typeof input === 'string' ? input : decodeUtf8(input)
    if (typeof input === 'string' && utf8Bytes(input) > maxBytes) {
      return refuse('json_malformed', 'the JSON text is too large')
    }
    return new Scanner(text).document()
  } catch (error) {
    if (error instanceof Malformed) return refuse('json_malformed', error.message)
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

/** Thrown inside the scanner only, and turned into a refusal at its door. */
class Malformed extends Error {}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Malformed('the JSON text is not UTF-8')
  }
}

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A surrogate pair is two units and four bytes, so each of its units counts one more.
    if (unit >= 0x80) bytes += unit < 0x800 || isSurrogate(unit) ? 1 : 2
  }
  return bytes
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff
const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff
const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff
const isDigit = (unit: number) => unit >= 0x30 && unit <= 0x39

const QUOTE = 0x22
const BACKSLASH = 0x5c
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

/** One pass over the text, with one unit of lookahead. A class because position and text are shared by every rule. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonValue {
    this.#space()
    const value = this.#value(0)
    this.#space()
    if (this.#at !== this.#text.length) this.#fail('unexpected text after the value')
    return value
  }

  #value(depth: number): JsonValue {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth + 1)
      case '[':
        return this.#array(depth + 1)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #object(depth: number): JsonObject {
    this.#enter(depth)
    const object: Record<string, JsonValue> = {}
    if (this.#take('}')) return object
    do {
      this.#space()
      if (this.#text.charCodeAt(this.#at) !== QUOTE) this.#fail('expected a member name')
      const name = this.#string()
      if (FORBIDDEN_NAMES.has(name)) this.#fail('a member name is not allowed')
      // RFC 8259 §4 leaves duplicates open; two readers could then see two different actions.
      if (Object.hasOwn(object, name)) this.#fail('a member name appears twice')
      if (!this.#take(':')) this.#fail('expected a colon')
      this.#space()
      object[name] = this.#value(depth)
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail('expected a comma or the end of an object')
    return object
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth)
    const array: JsonValue[] = []
    if (this.#take(']')) return array
    do {
      this.#space()
      array.push(this.#value(depth))
    } while (this.#take(','))
    if (!this.#take(']')) this.#fail('expected a comma or the end of an array')
    return array
  }

  #enter(depth: number): void {
    if (depth > MAX_JSON_DEPTH) this.#fail('the JSON text is nested too deeply')
    this.#at++
  }

  #string(): string {
    const text = this.#text
    let value = ''
    let runStart = ++this.#at
    for (;;) {
      const unit = text.charCodeAt(this.#at)
      if (unit === QUOTE) {
        value += text.slice(runStart, this.#at++)
        return value
      }
      if (unit === BACKSLASH) {
        value += text.slice(runStart, this.#at++) + this.#escape()
        runStart = this.#at
      } else if (isSurrogate(unit)) {
        if (!isHighSurrogate(unit) || !isLowSurrogate(text.charCodeAt(this.#at + 1))) this.#fail('a lone surrogate')
        this.#at += 2
      } else if (unit >= 0x20) {
        this.#at++
      } else {
        // NaN, past the end, lands here as well.
        this.#fail('a control character, or the end, inside a string')
      }
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at++] ?? ''
    if (letter !== 'u') return ESCAPES.get(letter) ?? this.#fail('an unknown escape')
    const unit = this.#hex()
    if (unit === 0) this.#fail('U+0000 is not allowed')
    if (!isSurrogate(unit)) return String.fromCharCode(unit)
    if (!isHighSurrogate(unit) || !this.#text.startsWith('\\u', this.#at)) this.#fail('a lone surrogate')
    this.#at += 2
    const low = this.#hex()
    if (!isLowSurrogate(low)) this.#fail('a lone surrogate')
    return String.fromCharCode(unit, low)
  }

  #hex(): number {
    const digits = this.#text.slice(this.#at, this.#at + 4)
    if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.#fail('a malformed escape')
    this.#at += 4
    return Number.parseInt(digits, 16)
  }

  #number(): number {
    const start = this.#at
    if (this.#peek('-')) this.#at++
    if (this.#peek('0')) this.#at++
    else this.#digits()
    if (this.#peek('.')) {
      this.#at++
      this.#digits()
    }
    if (this.#peek('e') || this.#peek('E')) {
      this.#at++
      if (this.#peek('+') || this.#peek('-')) this.#at++
      this.#digits()
    }
    const literal = this.#text.slice(start, this.#at)
    const value = Number(literal)
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      this.#fail('a number out of range')
    }
    if (Object.is(value, -0)) this.#fail('a negative zero')
    if (String(value) !== literal && decimalValue(literal) !== decimalValue(String(value))) {
      this.#fail('a number that a double cannot hold')
    }
    return value
  }

  #digits(): void {
    if (!isDigit(this.#text.charCodeAt(this.#at))) this.#fail('expected a value')
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('expected a value')
    this.#at += word.length
    return value
  }

  #peek(character: string): boolean {
    return this.#text[this.#at] === character
  }

  /** Skips white space and takes the character, if it is next. */
  #take(character: string): boolean {
    this.#space()
    if (!this.#peek(character)) return false
    this.#at++
    return true
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at)
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return
      this.#at++
    }
  }

  #fail(what: string): never {
    throw new Malformed(`${what} at character ${this.#at}`)
  }
}

/** The exact value of a number literal, in one spelling: digits without outer zeros, and an exponent. */
function decimalValue(literal: string): string {
  const [mantissa = '', exponent = '0'] = literal.toLowerCase().split('e')
  const sign = mantissa.startsWith('-') ? '-' : ''
  const [whole = '', fraction = ''] = mantissa.slice(sign.length).split('.')
  const digits = whole + fraction
  let first = 0
  while (first < digits.length && digits[first] === '0') first++
  if (first === digits.length) return '0'
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return `${sign}${digits.slice(first, end)}e${Number(exponent) - fraction.length + digits.length - end}`
}
