import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { parseForm } from '../../src/wire/form.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

const read: readonly { name: string; body: string; form: Record<string, string> }[] = [
  { name: 'empty body', body: '', form: {} },
  { name: 'two parameters', body: 'a=1&b=2', form: { a: '1', b: '2' } },
  { name: 'plus is a space, %2B a plus', body: 'a=1+2%2B3', form: { a: '1 2+3' } },
  { name: 'escaped UTF-8', body: 'a=%C3%A9%E2%82%AC', form: { a: 'é€' } },
  { name: 'raw UTF-8', body: 'a=\xc3\xa9', form: { a: 'é' } },
  { name: 'an equals sign in a value', body: 'a=b=c', form: { a: 'b=c' } },
  { name: 'without a value = omitted (RFC 6749 §3.1)', body: 'a=&b&c=3', form: { c: '3' } },
  {
    name: 'prototype names are names',
    body: '__proto__=1&constructor=2',
    form: { ['__proto__']: '1', constructor: '2' },
  },
  { name: '64 parameters', body: Array.from({ length: 64 }, (_, i) => `p${i}=`).join('&'), form: {} },
  { name: 'escaped name', body: '%61=1', form: { a: '1' } },
]

describe('parseForm', () => {
  test.each(read)('$name', ({ body, form }) => {
    const parsed = parseForm(bytes(body))
    expect(isRefusal(parsed) ? parsed : [...parsed]).toEqual(Object.entries(form))
  })

  test.each([
    { name: 'a name twice (RFC 6749 §3.2)', body: 'a=1&a=2' },
    { name: 'a name twice with the same value', body: 'a=1&a=1' },
    { name: 'a name twice, once by an escape', body: 'a=1&%61=2' },
    { name: 'a name twice, first without a value', body: 'a=&a=2' },
    { name: 'a name twice, then without a value', body: 'a=1&a' },
    { name: 'stray percent', body: 'a=100%' },
    { name: 'percent and one digit', body: 'a=%4' },
    { name: 'percent and no hex', body: 'a=%zz' },
    { name: 'escapes that are no UTF-8', body: 'a=%ff' },
    { name: 'overlong escape', body: 'a=%c0%ae' },
    { name: 'escaped surrogate', body: 'a=%ed%a0%80' },
    { name: 'raw bytes that are no UTF-8', body: 'a=\xff' },
    { name: 'NUL', body: 'a=\0' },
    { name: 'escaped NUL', body: 'a=x%00y' },
    { name: 'NUL in a name', body: 'a%00=1' },
    { name: 'no name', body: '=1' },
    { name: 'an empty pair', body: 'a=1&&b=2' },
    { name: 'a trailing separator', body: 'a=1&' },
    { name: '65 parameters', body: Array.from({ length: 65 }, (_, i) => `p${i}=`).join('&') },
  ])('$name -> refused', ({ body }) => {
    expect(parseForm(bytes(body))).toMatchObject({ code: 'request_malformed' })
  })

  test('reads back whatever URLSearchParams writes', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((s) => !s.includes('\0') && !/\p{Surrogate}/u.test(s))
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 20 }), (pairs) => {
        const parsed = parseForm(Buffer.from(new URLSearchParams(pairs).toString()))
        expect(isRefusal(parsed) ? parsed : [...parsed]).toEqual(pairs)
      }),
    )
  })

  test('garbage never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const parsed = parseForm(body)
        expect(isRefusal(parsed) || parsed instanceof Map).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})
