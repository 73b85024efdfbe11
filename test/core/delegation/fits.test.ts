import { describe, expect, test } from 'vitest'
import { parseBound } from '../../../src/core/delegation/bound.ts'
import { boundGap, fits } from '../../../src/core/delegation/fits.ts'
import { sha256Base64url } from '../../../src/core/hash.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { accepted, actionOf, boundOf, builtin, EXAMPLES, RESOURCE, typeOf } from '../action/fixtures.ts'

const yes = (constraint: JsonValue, ...values: JsonValue[]) =>
  values.map((value) => ({ constraint, value, expected: true }))
const no = (constraint: JsonValue, ...values: JsonValue[]) =>
  values.map((value) => ({ constraint, value, expected: false }))

describe('fits', () => {
  test.each([
    // a literal: equal as JSON values, strictly
    ...yes('a', 'a'),
    ...no('a', 'A', 'a ', ['a'], null, { a: 'a' }),
    ...no('é', 'e\u0301'),
    ...yes(1, 1),
    ...no(1, '1', true, 1.5),
    ...no('1.50', '1.5', 1.5),
    ...yes(null, null),
    ...no(null, false, 0, ''),
    ...yes({ a: 1, b: [2] }, { b: [2], a: 1 }),
    ...no({ a: 1 }, {}, { a: 1, b: 2 }, { a: '1' }, [], null),
    ...no({}, { toString: 1 }, [], null),
    ...yes([], []),
    ...no([], {}, [1], null, ''),
    ...no({ toString: 1 }, {}),
    // $any, $optional
    ...yes({ $any: true }, null, 'x', 1, [], {}, { a: 1 }),
    ...yes({ $optional: 'x' }, 'x'),
    ...no({ $optional: 'x' }, 'y', null),
    ...yes({ a: { $any: true } }, {}, { a: 1 }),
    ...yes({ a: { $optional: 1 } }, {}, { a: 1 }),
    ...no({ a: { $optional: 1 } }, { a: 2 }, { a: null }, { b: 1 }),
    ...no({ a: { $all: [{ $any: true }] } }, {}),
    // $in
    ...yes({ $in: ['a', 1, { b: 2 }] }, 'a', 1, { b: 2 }),
    ...no({ $in: ['a', 1, { b: 2 }] }, 'b', '1', { b: 2, c: 3 }, ['a'], null),
    // $min, $max: numbers
    ...yes({ $min: 1, $max: 10 }, 1, 10, 5.5),
    ...no({ $min: 1, $max: 10 }, 0.999, 10.001, -5, '5', null, [5], true),
    ...yes({ $min: 0 }, 0, 9007199254740991),
    ...no({ $max: 0 }, 0.1, '0'),
    // $min, $max: decimals, beyond what a double holds
    ...yes({ $max: '10.00' }, '10', '10.0', '10.000', '9.99', '-1', '0'),
    ...no(
      { $max: '10.00' },
      '10.01',
      '10.000000000000000000000000000001',
      '11',
      '100',
      10,
      '1e0',
      '+1',
      ' 1',
      '01',
      '.5',
      '5.',
      '',
      '-0',
      '-0.00',
      '1,5',
      '٣',
      '0x1',
      'NaN',
      'Infinity',
    ),
    ...yes({ $min: '9007199254740992.1' }, '9007199254740992.1', '9007199254740993'),
    ...no({ $min: '9007199254740992.1' }, '9007199254740992', '9007199254740992.0999999'),
    ...yes({ $min: '-1.5', $max: '-0.5' }, '-1', '-0.50', '-1.5'),
    ...no({ $min: '-1.5', $max: '-0.5' }, '-2', '0', '-0.4'),
    ...yes({ $max: '1' }, `0.${'1'.repeat(38)}`),
    ...no({ $max: '1' }, `0.${'1'.repeat(39)}`),
    // $prefix, $suffix
    ...yes({ $prefix: 'ab' }, 'ab', 'abc'),
    ...no({ $prefix: 'ab' }, 'a', 'AB', ' ab', ['ab'], 1, null),
    ...yes({ $suffix: '.txt' }, '.txt', 'a.txt'),
    ...no({ $suffix: '.txt' }, 'a.txt ', 'a.txt\n', 'txt'),
    // $email_domain
    ...yes({ $email_domain: ['company.com', 'b.example'] }, 'bob@company.com', 'b.o-b+x@b.example'),
    ...no(
      { $email_domain: ['company.com'] },
      'bob@sub.company.com',
      'bob@notcompany.com',
      'bob@company.com.evil.example',
      'bob@Company.com',
      'bob@company.com.',
      'bob@evil.example@company.com',
      'bob%evil.example@company.com',
      'evil.example!bob@company.com',
      '"a@evil.example"@company.com',
      'bob@company.com\n',
      ' bob@company.com',
      'Bob <bob@company.com>',
      'eve@evil.example,bob@company.com',
      '@company.com',
      'company.com',
      'bób@company.com',
      `${'a'.repeat(65)}@company.com`,
      'bob@соmpany.com',
      ['bob@company.com'],
      null,
    ),
    // $path_within
    ...yes({ $path_within: '/data' }, '/data', '/data/a', '/data/a/b.txt', '/data/...', '/data/.hidden'),
    ...no(
      { $path_within: '/data' },
      '/data2',
      '/dat',
      '/',
      'data/a',
      '/data/',
      '/data//a',
      '/data/../etc/passwd',
      '/data/./a',
      '/data/..',
      '/data/a\\..\\b',
      '/data/a\0',
      '/DATA/a',
      '',
      './data',
      null,
      ['/data'],
    ),
    ...yes({ $path_within: '/' }, '/', '/a'),
    ...no({ $path_within: '/' }, '', 'a', '//a', '/..'),
    // $url_within
    ...yes(
      { $url_within: 'https://api.example/v1/' },
      'https://api.example/v1/',
      'https://api.example/v1/a',
      'https://api.example/v1/a%20b',
    ),
    ...no(
      { $url_within: 'https://api.example/v1/' },
      'https://api.example/v1',
      'https://api.example/v10/',
      'https://api.example/',
      'http://api.example/v1/',
      'https://api.example:8443/v1/',
      'https://api.example:443/v1/',
      'https://api.example.evil.example/v1/',
      'https://evil.example/v1/',
      'https://api.example@evil.example/v1/',
      'https://u:p@api.example/v1/',
      'https://api.example/v1/../admin',
      'https://api.example/v1/%2e%2e/admin',
      'https://api.example/v1/..%2fadmin',
      'https://api.example/v1/%5c..%5cadmin',
      'https://api.example/v1/%252e%252e/',
      'https://api.example/v1//a',
      'https://api.example/v1/a?x=1',
      'https://api.example/v1/a?',
      'https://api.example/v1/a#f',
      'https://api.example\\v1/',
      'HTTPS://api.example/v1/',
      'https://API.example/v1/',
      'https://api.example./v1/',
      'https://api.example/v1/a%00',
      'https://api.example/v1/..;/admin',
      ' https://api.example/v1/',
      'https://api.example/v1/\n',
      null,
      1,
    ),
    ...yes(
      { $url_within: 'https://api.example/v1', $query: true },
      'https://api.example/v1',
      'https://api.example/v1/a?x=1',
      'https://api.example/v1?x',
    ),
    ...no(
      { $url_within: 'https://api.example/v1', $query: true },
      'https://api.example/v10',
      'https://api.example/v1x?/v1/',
      'https://api.example/?/v1/',
    ),
    // $each, arrays
    ...yes({ $each: { $prefix: 'a' }, $max_items: 2 }, [], ['a'], ['a', 'ab']),
    ...no({ $each: { $prefix: 'a' }, $max_items: 2 }, ['a', 'a', 'a'], ['b'], ['a', 'b'], 'a', { 0: 'a' }, null, [
      ['a'],
    ]),
    ...yes({ $each: { $any: true }, $max_items: 0 }, []),
    ...no({ $each: { $any: true }, $max_items: 0 }, [1]),
    ...yes(['a', { $any: true }], ['a', 1], ['a', []]),
    ...no(['a', { $any: true }], ['a'], [1, 'a'], ['a', 1, 2], []),
    // $all
    ...yes({ $all: [{ $prefix: 'a' }, { $suffix: 'b' }] }, 'ab', 'axb'),
    ...no({ $all: [{ $prefix: 'a' }, { $suffix: 'b' }] }, 'a', 'b', 'ba'),
    // what cannot be read fits nothing
    ...no({ $nope: 1 }, null, 1, { $nope: 1 }),
    ...no({ $any: false }, null),
    ...no({ $any: true, a: 1 }, { a: 1 }),
    ...no({ $any: true, $in: [1] }, 1),
    ...no({ $in: [] }, null),
    ...no({ $in: [{ $any: true }] }, 1, { $any: true }),
    ...no({ $all: [] }, 1),
    ...no({ $email_domain: [] }, 'a@b.example'),
    ...no({ $min: 2, $max: 1 }, 1, 2),
    ...no({ $min: 1, $max: '2' }, 1, '1'),
    ...no({ $max_items: 1 }, [], [1]),
    ...no({ $query: true }, 'https://a.example/'),
    ...no({ $url_within: 'https://a.example/', $query: false }, 'https://a.example/'),
  ])('$value in $constraint -> $expected', ({ value, constraint, expected }) => {
    expect(fits(value, constraint)).toBe(expected)
  })

  const s256 = sha256Base64url('abc')
  test.each<[JsonValue, JsonValue, boolean]>([
    [{ s256 }, { $any: true }, true],
    [{ s256 }, 'abc', true],
    [{ s256 }, { s256 }, true],
    [{ s256 }, { $in: ['x', 'abc'] }, true],
    [{ s256 }, { $optional: 'abc' }, true],
    [{ s256 }, { $all: ['abc', { $any: true }, { $in: ['abc'] }] }, true],
    [{ s256 }, 'abd', false],
    [{ s256 }, { $prefix: '' }, false],
    [{ s256 }, { $prefix: 'a' }, false],
    [{ s256 }, { $suffix: 'c' }, false],
    [{ s256 }, { $all: ['abc', { $prefix: 'a' }] }, false],
    [{ s256 }, { s256: { $any: true } }, false],
    [{ s256 }, { s256: { $prefix: '' } }, false],
    ['abc', { s256 }, false],
    [s256, 'abc', false],
  ])('as a digest, %j in %j -> %s', (value, constraint, expected) => {
    expect(fits(value, constraint, 'utf8')).toBe(expected)
  })

  test('elsewhere what looks like a digest is ordinary data', () => {
    expect(fits({ s256 }, 'abc')).toBe(false)
    expect(fits({ s256 }, { s256: { $any: true } })).toBe(true)
  })

  test('a digest of JSON is of its canonical form', () => {
    const digest = { s256: sha256Base64url('{"a":1,"b":2}') }
    expect(fits(digest, { b: 2, a: 1 }, 'jcs')).toBe(true)
    expect(fits(digest, { b: 2, a: { $any: true } }, 'jcs')).toBe(false)
    expect(fits({ s256: sha256Base64url('abc') }, { a: 1 }, 'jcs')).toBe(false)
  })

  test('a constraint or value that is nested 20,000 deep fits nothing, without an exception', () => {
    let deep: JsonValue = 1
    for (let i = 0; i < 20_000; i++) deep = { $optional: deep }
    let value: JsonValue = 1
    for (let i = 0; i < 20_000; i++) value = [value]
    expect(fits(1, deep)).toBe(false)
    expect(fits(value, [1])).toBe(false)
    expect(fits(value, { $any: true })).toBe(true)
  })
})

describe('boundGap', () => {
  const email = builtin('email_send')
  const action = actionOf(email, EXAMPLES.email_send as JsonObject)
  const all = { to: { $any: true }, cc: { $any: true }, subject: { $any: true }, body: { $any: true } }

  test.each<[string, JsonObject, string | undefined]>([
    ['everything', all, undefined],
    ['the action itself', EXAMPLES.email_send as JsonObject, undefined],
    ['nothing', {}, 'to'],
    ['no copy', { to: all.to, subject: all.subject, body: all.body }, 'cc'],
    [
      'another domain',
      { ...all, to: { $each: { $email_domain: ['example.com'] } }, cc: { $each: { $email_domain: ['example.com'] } } },
      'cc[0]',
    ],
    ['one addressee', { ...all, to: { $each: { $any: true }, $max_items: 1 } }, 'to'],
    ['the second addressee', { ...all, to: { $each: { $in: ['bob@example.com'] } } }, 'to[1]'],
    [
      'two members: the first in the order of the action',
      { body: 'x', subject: 'x', cc: all.cc, to: all.to },
      'subject',
    ],
  ])('%s', (_name, members, member) => {
    expect(boundGap(action, boundOf(email, members))).toEqual(member === undefined ? undefined : { member })
  })

  test('a member that only the bound has is a gap, unless it may be absent', () => {
    const plain = actionOf(email, { to: ['bob@example.com'], subject: 's', body: 'b' })
    expect(boundGap(plain, boundOf(email, all))).toBeUndefined()
    expect(boundGap(plain, boundOf(email, { ...all, cc: { $optional: ['a@b.example'] } }))).toBeUndefined()
    expect(boundGap(plain, boundOf(email, { ...all, cc: ['a@b.example'] }))).toEqual({ member: 'cc' })
    expect(boundGap(plain, boundOf(email, { ...all, cc: { $each: { $any: true } } }))).toEqual({ member: 'cc' })
  })

  test('inner members', () => {
    const type = builtin('payment_initiation')
    const payment = actionOf(type, EXAMPLES.payment_initiation as JsonObject)
    const bound = (amount: JsonValue) =>
      boundOf(type, {
        instructedAmount: { currency: 'EUR', amount },
        creditorName: { $any: true },
        creditorAccount: { iban: { $any: true } },
        remittanceInformationUnstructured: { $any: true },
      })
    expect(boundGap(payment, bound({ $max: '123.50' }))).toBeUndefined()
    expect(boundGap(payment, bound({ $max: '123.49' }))).toEqual({ member: 'instructedAmount.amount' })
  })

  test('another type, another version of the type, another location', () => {
    expect(boundGap(action, boundOf(builtin('http_request'), {}))).toEqual({ member: 'type' })
    expect(boundGap(action, boundOf({ ...email, version: 2 }, all))).toEqual({ member: 'type' })
    const elsewhere = accepted(parseBound({ type: 'email_send', ...all }, email, { resource: 'https://other.example' }))
    expect(boundGap(action, elsewhere)).toEqual({ member: 'locations' })
    const both = { type: 'email_send', locations: ['https://other.example', RESOURCE], ...all }
    expect(boundGap(action, accepted(parseBound(both, email, {})))).toBeUndefined()
  })

  test('a digest inside an object', () => {
    const o = {
      type: 'object',
      properties: { b: { type: 'string', maxLength: 9 } },
      additionalProperties: false,
    } as const
    const type = typeOf({ o }, { digestible: { 'o.b': 'utf8' } })
    const hidden = actionOf(type, { o: { b: { s256: sha256Base64url('abc') } } })
    expect(boundGap(hidden, boundOf(type, { o: { b: 'abc' } }))).toBeUndefined()
    expect(boundGap(hidden, boundOf(type, { o: { $in: [{ b: 'abc' }] } }))).toBeUndefined()
    expect(boundGap(hidden, boundOf(type, { o: { b: { $prefix: 'a' } } }))).toEqual({ member: 'o.b' })
    expect(boundGap(hidden, boundOf(type, { o: { b: 'abd' } }))).toEqual({ member: 'o.b' })
  })
})
