import { describe, expect, test } from 'vitest'
import { type JsonValue, parseJson } from '../../../src/core/json.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const ascii = (text: string) => new TextEncoder().encode(text)
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const malformed = { code: 'json_malformed' }

describe('parseJson accepts', () => {
  test.each<[string, JsonValue]>([
    ['null', null],
    [' \t\r\n true ', true],
    ['0', 0],
    ['-1', -1],
    ['1.0', 1],
    ['1e2', 100],
    ['1E+2', 100],
    ['0.1', 0.1],
    ['0.10', 0.1],
    ['0e999999', 0],
    ['5e-324', 5e-324],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['""', ''],
    ['"\\ud83d\\ude00"', '😀'],
    ['"😀"', '😀'],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041"', '"\\/\b\f\n\r\tA'],
    ['[]', []],
    ['[1, [2], {"a": 3}]', [1, [2], { a: 3 }]],
    ['{"": 0, "toString": 1, "hasOwnProperty": 2}', { '': 0, toString: 1, hasOwnProperty: 2 }],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toEqual(value)
    expect(parseJson(ascii(text))).toEqual(value)
  })

  test('32 levels', () => expect(parseJson(nested(32))).not.toMatchObject(malformed))
  test('exactly the size that is allowed, counted in bytes', () => {
    expect(parseJson(`"${'a'.repeat(65_534)}"`)).toHaveLength(65_534)
    expect(parseJson('"é"', { maxBytes: 4 })).toBe('é')
    expect(parseJson('"😀"', { maxBytes: 6 })).toBe('😀')
  })
})

describe('parseJson refuses', () => {
  test.each([
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
    ['two values', '1 2'],
    ['trailing text', '{}x'],
    ['a trailing comma', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a leading comma', '[,1]'],
    ['single quotes', "{'a':1}"],
    ['a name without quotes', '{a:1}'],
    ['a comment', '/**/1'],
    ['an open array', '[1'],
    ['an open object', '{"a":1'],
    ['an open string', '"a'],
    ['a string that ends in a backslash', '"a\\'],
    ['NaN', 'NaN'],
    ['Infinity', '-Infinity'],
    ['a leading zero', '01'],
    ['a leading plus', '+1'],
    ['a bare point', '1.'],
    ['a point first', '.5'],
    ['an empty exponent', '1e'],
    ['a minus alone', '-'],
    ['hexadecimal', '0x10'],
    ['a raw control character', '"a\nb"'],
    ['an unknown escape', '"\\x41"'],
    ['a short escape', '"\\u12"'],
    ['an escape with a sign', '"\\u+041"'],
    ['U+0000, raw', '"\u0000"'],
    ['U+0000, escaped', '"\\u0000"'],
    ['U+0000 in a name', '{"\\u0000":1}'],
    ['a lone high surrogate, escaped', '"\\ud83d"'],
    ['a lone low surrogate, escaped', '"\\ude00"'],
    ['a high surrogate before another letter', '"\\ud83dx"'],
    ['two high surrogates', '"\\ud83d\\ud83d"'],
    ['a pair, half of it raw', '"\\ud83d\ude00"'],
    ['a lone surrogate, raw', '"\ud83d"'],
    ['a lone low surrogate, raw', '"\ude00"'],
    ['a lone surrogate in a name', '{"\\ud83d":1}'],
    ['a duplicate name', '{"a":1,"a":1}'],
    ['a duplicate name, escaped once', '{"a":1,"\\u0061":2}'],
    ['a duplicate empty name', '{"":1,"":2}'],
    ['__proto__', '{"__proto__":{}}'],
    ['__proto__, escaped', '{"\\u005f_proto__":{}}'],
    ['constructor', '[{"constructor":1}]'],
    ['prototype', '{"a":{"prototype":1}}'],
    ['2^53', '9007199254740992'],
    ['-2^53', '-9007199254740992'],
    ['2^53 + 1', '9007199254740993'],
    ['2^53 as a fraction', '9007199254740992.0'],
    ['2^53 as an exponent', '9007199254740992e0'],
    ['a large power', '1e21'],
    ['more than a double', '1e400'],
    ['less than a double', '1e-400'],
    ['negative zero', '-0'],
    ['negative zero, as a fraction', '-0.0'],
    ['negative zero, by underflow', '-1e-400'],
    ['more digits than a double', '0.1000000000000000055'],
    ['a number that a double rounds', '0.30000000000000000001'],
    ['a large fraction that a double rounds', '9007199254740990.6'],
    ['33 levels', nested(33)],
    ['20,000 levels', nested(20_000)],
    ['20,000 open objects', '{"a":'.repeat(20_000)],
    ['one byte too many', `"${'a'.repeat(65_535)}"`],
  ])('%s', (_name, text) => {
    expect(parseJson(text)).toMatchObject(malformed)
  })

  test.each([
    ['a stray continuation byte', bytes(0x22, 0x80, 0x22)],
    ['an overlong encoding', bytes(0x22, 0xc0, 0xaf, 0x22)],
    ['an encoded surrogate', bytes(0x22, 0xed, 0xa0, 0xbd, 0x22)],
    ['beyond U+10FFFF', bytes(0x22, 0xf4, 0x90, 0x80, 0x80, 0x22)],
    ['a cut sequence', bytes(0x22, 0xe2, 0x82, 0x22)],
    ['a byte order mark', bytes(0xef, 0xbb, 0xbf, 0x31)],
    ['UTF-16', bytes(0xff, 0xfe, 0x31, 0x00)],
  ])('%s, in bytes', (_name, input) => {
    expect(parseJson(input)).toMatchObject(malformed)
  })

  test('text whose bytes are too many, though its characters are not', () => {
    expect(parseJson('"é"', { maxBytes: 3 })).toMatchObject(malformed)
    expect(parseJson('"😀"', { maxBytes: 5 })).toMatchObject(malformed)
    expect(parseJson('"€"', { maxBytes: 4 })).toMatchObject(malformed)
  })

  test('without repeating what was sent', () => {
    expect(parseJson('{"secret-name":1,"secret-name":2}')).not.toMatchObject({
      detail: expect.stringContaining('secret'),
    })
  })
})
