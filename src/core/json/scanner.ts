import type { JsonObject, JsonValue } from '../json.ts'
import { isForbiddenName, MAX_JSON_DEPTH } from './limits.ts'

/** What is wrong with a text, and at which character. */
export class MalformedJson extends Error {}

/** Reads any JSON text that `parseJson` takes. @throws MalformedJson for every other. */
export function scanJson(text: string): JsonValue {
  return new Scanner(text).document()
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
      if (isForbiddenName(name)) this.#fail('a member name is not allowed')
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
    throw new MalformedJson(`${what} at character ${this.#at}`)
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
