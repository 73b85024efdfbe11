import { describe, expect, test } from 'vitest'
import { parseBound } from '../../../src/core/delegation/bound.ts'
import { boundsWithin, within } from '../../../src/core/delegation/within.ts'
import { sha256Base64url } from '../../../src/core/hash.ts'
import type { JsonValue } from '../../../src/core/json.ts'
import { accepted, boundOf, builtin, RESOURCE, typeOf } from '../action/fixtures.ts'

const free = typeOf({ m: { type: ['object', 'array', 'string', 'number', 'boolean', 'null'], 'x-free-form': true } })
const yes = (child: JsonValue, parent: JsonValue) => ({ child, parent, expected: true })
const no = (child: JsonValue, parent: JsonValue) => ({ child, parent, expected: false })
const any = { $any: true }

describe('within', () => {
  test.each([
    yes('a', any),
    yes(any, any),
    no(any, 'a'),
    no(any, { $prefix: '' }),
    yes('a', 'a'),
    no('a', 'b'),
    no('1', 1),
    // absence
    yes({ a: { $optional: 1 } }, { a: { $optional: 1 } }),
    no({ a: { $optional: 1 } }, { a: 1 }),
    yes({ a: 1 }, { a: { $optional: 1 } }),
    yes({}, { a: { $optional: 1 } }),
    yes({}, { a: any }),
    no({}, { a: 1 }),
    no({ a: any }, {}),
    no({ a: any }, { a: { $all: [any] } }),
    yes({ a: { $optional: 1 } }, { a: any }),
    no({ a: any }, { a: { $optional: 1 } }),
    // $in
    yes({ $in: [1, 2] }, { $in: [2, 3, 1] }),
    no({ $in: [1, 4] }, { $in: [1, 2] }),
    yes({ $in: [1, 2] }, { $min: 1 }),
    no({ $in: [1, 2] }, { $min: 2 }),
    yes({ $in: ['ab', 'ac'] }, { $prefix: 'a' }),
    yes({ $in: ['a'] }, 'a'),
    no({ $in: ['a', 'b'] }, 'a'),
    yes('a', { $in: ['a', 'b'] }),
    // ranges
    yes({ $min: 2, $max: 3 }, { $min: 1, $max: 3 }),
    no({ $min: 0, $max: 3 }, { $min: 1 }),
    no({ $min: 1 }, { $max: 3 }),
    no({ $min: '2' }, { $min: 1 }),
    yes({ $max: '10.00' }, { $max: '10' }),
    yes({ $max: '10' }, { $max: '10.00' }),
    no({ $max: '10.01' }, { $max: '10' }),
    no({ $max: 5 }, { $min: 1, $max: 9 }),
    // prefix, suffix
    yes({ $prefix: 'abc' }, { $prefix: 'ab' }),
    no({ $prefix: 'a' }, { $prefix: 'ab' }),
    yes({ $suffix: 'xyz' }, { $suffix: 'yz' }),
    no({ $suffix: 'z' }, { $suffix: 'yz' }),
    no({ $prefix: 'ab' }, { $suffix: 'ab' }),
    no({ $prefix: '/data/x' }, { $path_within: '/data' }),
    no({ $prefix: 'https://a.example/v1/' }, { $url_within: 'https://a.example/' }),
    no({ $suffix: '@company.com' }, { $email_domain: ['company.com'] }),
    no({ $email_domain: ['company.com'] }, { $suffix: '@company.com' }),
    // domains, paths, URLs
    yes({ $email_domain: ['b.example'] }, { $email_domain: ['a.example', 'b.example'] }),
    no({ $email_domain: ['c.example'] }, { $email_domain: ['a.example'] }),
    no({ $email_domain: ['sub.a.example'] }, { $email_domain: ['a.example'] }),
    yes({ $path_within: '/data/x' }, { $path_within: '/data' }),
    yes({ $path_within: '/data' }, { $path_within: '/' }),
    no({ $path_within: '/data2' }, { $path_within: '/data' }),
    no({ $path_within: '/' }, { $path_within: '/data' }),
    yes('/data/a', { $path_within: '/data' }),
    no('/data/../a', { $path_within: '/data' }),
    yes({ $url_within: 'https://a.example/v1/x' }, { $url_within: 'https://a.example/v1' }),
    no({ $url_within: 'https://a.example/v10' }, { $url_within: 'https://a.example/v1' }),
    no({ $url_within: 'https://a.example/', $query: true }, { $url_within: 'https://a.example/' }),
    yes({ $url_within: 'https://a.example/' }, { $url_within: 'https://a.example/', $query: true }),
    no({ $url_within: 'http://a.example/' }, { $url_within: 'https://a.example/' }),
    no({ $url_within: 'https://a.example/v1' }, { $url_within: 'https://a.example/v1/' }),
    // arrays
    yes({ $each: 1, $max_items: 2 }, { $each: { $min: 0 }, $max_items: 3 }),
    no({ $each: 1 }, { $each: 1, $max_items: 3 }),
    yes({ $each: 1, $max_items: 3 }, { $each: 1 }),
    no({ $each: 1, $max_items: 4 }, { $each: 1, $max_items: 3 }),
    no({ $each: any }, { $each: 1 }),
    yes(['a', { $prefix: 'ab' }], { $each: { $prefix: 'a' }, $max_items: 2 }),
    no(['a', 'b', any], { $each: any, $max_items: 2 }),
    yes([1, any], [any, any]),
    no([any, 1], [1, any]),
    no([1], [1, 1]),
    no({ $each: 1, $max_items: 1 }, [1]),
    yes([], { $each: 1, $max_items: 0 }),
    // $all: every parent atom has a child atom within it
    yes({ $all: [{ $prefix: 'ab' }, { $suffix: 'z' }] }, { $prefix: 'a' }),
    no({ $prefix: 'a' }, { $all: [{ $prefix: 'a' }, { $suffix: 'z' }] }),
    yes({ $all: [{ $suffix: 'z' }, { $prefix: 'a' }] }, { $all: [{ $prefix: 'a' }, { $suffix: 'z' }] }),
    yes({ $all: [{ $all: [1, any] }] }, { $all: [{ $min: 0 }, { $max: 1 }] }),
    yes({ $all: [any, any] }, { $all: [any] }),
    // objects
    yes({ a: 1, b: 2 }, { a: any, b: { $min: 2 } }),
    no({ a: 1, b: 2 }, { a: any }),
    no({ a: 1 }, { a: any, b: 1 }),
    yes({ a: { $prefix: 'xy' } }, { a: { $prefix: 'x' } }),
    no({ a: 1 }, [1]),
    no({ a: any }, { $in: [{ a: 1 }] }),
    yes({ a: 1 }, { $in: [{ a: 1 }] }),
  ])('$child within $parent -> $expected', ({ child, parent, expected }) => {
    expect(within(boundOf(free, { m: child }), boundOf(free, { m: parent }))).toBe(expected)
  })

  test('members: what the parent lacks or requires', () => {
    const email = builtin('email_send')
    const parent = boundOf(email, { to: any, subject: { $any: true } })
    expect(within(boundOf(email, { to: any, subject: 'x' }), parent)).toBe(true)
    expect(within(boundOf(email, { to: any, subject: 'x', cc: any }), parent)).toBe(false)
    expect(within(boundOf(email, { subject: any }), boundOf(email, { to: ['a@b.example'], subject: any }))).toBe(false)
  })

  test('type, version, location', () => {
    const email = builtin('email_send')
    const at = (...locations: string[]) => accepted(parseBound({ type: 'email_send', locations }, email, {}))
    expect(within(at(RESOURCE), at('https://other.example', RESOURCE))).toBe(true)
    expect(within(at('https://other.example', RESOURCE), at(RESOURCE))).toBe(false)
    expect(within(boundOf(email, {}), boundOf({ ...email, version: 2 }, {}))).toBe(false)
    expect(within(boundOf(email, {}), boundOf(builtin('http_request'), {}))).toBe(false)
  })

  test('a digest that fits the child must fit the parent', () => {
    const email = builtin('email_send')
    const body = (child: JsonValue, parent: JsonValue) =>
      within(boundOf(email, { body: child }), boundOf(email, { body: parent }))
    const digest = { s256: sha256Base64url('abc') }
    expect(body('abc', 'abc')).toBe(true)
    expect(body(digest, 'abc')).toBe(true)
    expect(body('abc', digest)).toBe(false)
    expect(body('abc', { $prefix: 'a' })).toBe(false)
    expect(body({ $prefix: 'ab' }, { $prefix: 'a' })).toBe(true)
    expect(body({ $all: ['abc', { $prefix: 'a' }] }, { $prefix: 'a' })).toBe(true)
    expect(body(digest, { $prefix: 'a' })).toBe(false)
    expect(body(any, any)).toBe(true)
    expect(body({ $in: ['abc', 'd'] }, { $in: ['d', 'abc', 'e'] })).toBe(true)
  })
})

describe('boundsWithin', () => {
  const email = builtin('email_send')
  const subject = (value: JsonValue) => boundOf(email, { subject: value })
  test('each child within one parent', () => {
    expect(boundsWithin([subject('a'), subject('b')], [subject('b'), subject('a')])).toBeUndefined()
    expect(boundsWithin([], [])).toBeUndefined()
  })
  test('not within two parents together', () => {
    expect(boundsWithin([subject('a'), subject({ $in: ['a', 'b'] })], [subject('a'), subject('b')])).toEqual({
      member: 'authorization_details[1]',
    })
  })
})
