import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePlainJson, parsePlainJsonBytes } from '../../src/core/json/plain.ts'
import { scanJson } from '../../src/core/json/scanner.ts'
import type { JsonValue } from '../../src/core/json.ts'

const NUM_RUNS = 20_000

/** Text that is nearly plain JSON: every piece of it may be what makes the two readers differ. */
const name = fc.constantFrom(
  '"a"',
  '"b"',
  '"0"',
  '"1"',
  '"__proto__"',
  '"toString"',
  '"a b"',
  '"ä"',
  '"😀"',
  '"a\\u0061"',
)
const scalar = fc.constantFrom(
  ...['"x"', '"x.e1E"', '"\\n"', '"é"', '""', '"{\\"a\\":1}"', '"\ud800"', '"\0"', '"\x7f"', 'true', 'false', 'null'],
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '01',
    '1.0',
    '0.5',
    '1e2',
    '1E2',
    '1e-400',
    '9007199254740991',
    '9007199254740992',
    '12345678901234567890',
  ],
  ...['NaN', 'Infinity', '+1', '.5', '1.', 'tru', 'undefined', "'x'", '"', ''],
)
const space = fc.constantFrom('', '', '', ' ', '\n', '\t', '\u00a0', '\ufeff')
const text = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc
      .array(fc.tuple(name, space, tie('value')), { maxLength: 4 })
      .map((members) => `{${members.map(([n, s, v]) => `${n}${s}:${s}${v}`).join(',')}}`),
    fc
      .array(fc.tuple(space, tie('value')), { maxLength: 4 })
      .map((items) => `[${items.map(([s, v]) => s + v).join(',')}]`),
    fc.tuple(tie('value'), fc.constantFrom(',', '}', ']', ' 1', '')).map(([v, after]) => `[${v}${after}]`),
  ),
})).value

const scanned = (json: string): JsonValue | undefined => {
  try {
    return scanJson(json)
  } catch {
    return undefined
  }
}

const isAscii = (json: string) => Buffer.byteLength(json) === json.length

test('what the plain reader reads, the scanner reads the same', () => {
  let plainly = 0
  fc.assert(
    fc.property(text, (json) => {
      const plain = parsePlainJson(json)
      const fromBytes = parsePlainJsonBytes(Buffer.from(json))
      expect(fromBytes).toEqual(isAscii(json) ? plain : undefined)
      expect(JSON.stringify(fromBytes)).toBe(isAscii(json) ? JSON.stringify(plain) : undefined)
      if (plain === undefined) return
      plainly++
      const strict = scanned(json)
      expect(strict).toEqual(plain)
      expect(JSON.stringify(strict)).toBe(JSON.stringify(plain)) // the members in one order, too
    }),
    { numRuns: NUM_RUNS },
  )
  expect(plainly).toBeGreaterThan(NUM_RUNS / 20)
})

test('the texts of everyday are read plainly', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { maxLength: 5 }),
      fc.maxSafeInteger(),
      (texts, n) => {
        const clean = texts.map((one) => one.replaceAll(/["\\]/g, ''))
        const json = JSON.stringify({
          type: 'email_send',
          to: clean,
          n: n + 0,
          deep: [{ a: [[{ b: true, c: null }]] }],
        })
        expect(parsePlainJson(json)).toEqual(scanJson(json))
        expect(parsePlainJsonBytes(Buffer.from(json))).toEqual(scanJson(json))
      },
    ),
    { numRuns: 2_000 },
  )
})

test.each([
  ['a name twice', '{"a":1,"a":1}'],
  ['a name twice, far apart', '{"a":[{"b":1}],"c":{"x":"y"},"a":[{"b":1}]}'],
  ['a name twice, spelled with an escape', '{"a":1,"\\u0061":1}'],
  ['a name that reaches a prototype', '{"__proto__":1}'],
  ['a negative zero', '[-0]'],
  ['an integer that a double cannot hold', '[9007199254740993]'],
  ['a fraction', '[0.1]'],
  ['an exponent', '[1e2]'],
  ['33 levels', '['.repeat(33) + ']'.repeat(33)],
])('not read plainly: %s', (_what, json) => {
  expect(parsePlainJson(json)).toBeUndefined()
  expect(parsePlainJsonBytes(Buffer.from(json))).toBeUndefined()
})

test('32 levels are read plainly', () => {
  expect(parsePlainJson('['.repeat(32) + ']'.repeat(32))).toEqual(scanJson('['.repeat(32) + ']'.repeat(32)))
})
