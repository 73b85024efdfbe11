import { describe, expect, test } from 'vitest'
import { sha256Base64url } from '../../../src/core/hash.ts'
import { canonicalJson, type JsonValue, jsonEquals } from '../../../src/core/json.ts'
import vectors from '../../vectors/rfc8785.json' with { type: 'json' }

function doubleOf(hex: string): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(`0x${hex}`))
  return view.getFloat64(0)
}

describe('canonicalJson', () => {
  test.each(vectors.canonical)('$source', ({ input, output }) => {
    expect(canonicalJson(JSON.parse(input) as JsonValue)).toBe(output)
  })

  test.each(vectors.numbers)('$source: $ieee754 -> $output', ({ ieee754, output }) => {
    expect(canonicalJson(doubleOf(ieee754))).toBe(output)
  })

  test.each([
    ['a lone surrogate', '\ud800'],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
  ])('throws for %s', (_name, value) => expect(() => canonicalJson(value)).toThrow())
})

describe('sha256Base64url', () => {
  test.each([
    ['FIPS 180-4: "abc"', 'abc', 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0'],
    ['the empty string', '', '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'],
  ])('%s', (_name, input, output) => {
    expect(sha256Base64url(input)).toBe(output)
    expect(sha256Base64url(new TextEncoder().encode(input))).toBe(output)
  })
})

describe('jsonEquals', () => {
  test.each<[JsonValue, JsonValue, boolean]>([
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [[1, 2], [2, 1], false],
    [1, '1', false],
    [null, false, false],
    [[], {}, false],
    [{}, [], false],
    [{ a: null }, {}, false],
    [{ toString: 1 }, {}, false],
    [{}, { toString: 1 }, false],
    [{ a: 1 }, { b: 1 }, false],
    ['é', 'e\u0301', false],
  ])('%j and %j -> %s', (a, b, expected) => expect(jsonEquals(a, b)).toBe(expected))
})
