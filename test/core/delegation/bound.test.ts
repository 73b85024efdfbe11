import { describe, expect, test } from 'vitest'
import { parseBound } from '../../../src/core/delegation/bound.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { builtin, RESOURCE, typeOf } from '../action/fixtures.ts'

const invalid = { code: 'bound_invalid' }
const type = typeOf(
  {
    s: { type: 'string', maxLength: 20 },
    n: { type: 'number' },
    url: { type: 'string', format: 'canonical-url', maxLength: 200 },
    link: { type: 'string', format: 'uri', maxLength: 200 },
    mails: { type: 'array', maxItems: 3, items: { type: 'string', format: 'email', maxLength: 100 } },
    o: { type: 'object', properties: { a: { type: 'string', maxLength: 5 } }, additionalProperties: false },
    free: { type: 'object', 'x-free-form': true },
    d: { type: 'string', maxLength: 20 },
    either: { oneOf: [{ type: 'string', maxLength: 3 }, { type: 'number' }] },
  },
  { digestible: { d: 'utf8' } },
)
const parse = (members: JsonObject) => parseBound({ type: 'test_type', ...members }, type, { resource: RESOURCE })

describe('parseBound refuses', () => {
  test.each<[string, JsonObject, string]>([
    ['an unknown operator', { s: { $regex: '.*' } }, 's'],
    ['an inherited name as an operator', { s: { $constructor: 1 } }, 's'],
    ['"$" alone', { s: { $: 1 } }, 's'],
    ['two operators', { s: { $prefix: 'a', $suffix: 'b' } }, 's'],
    ['an operator and a plain member', { free: { $any: true, a: 1 } }, 'free'],
    ['$min and $in', { n: { $min: 1, $in: [1] } }, 'n'],
    ['$any: false', { s: { $any: false } }, 's'],
    ['an empty $in', { s: { $in: [] } }, 's'],
    ['$in of no array', { s: { $in: 'a' } }, 's'],
    ['a constraint inside $in', { s: { $in: [{ $any: true }] } }, 's'],
    ['a constraint deep inside $in', { free: { $in: [{ a: [{ $prefix: 'x' }] }] } }, 'free'],
    ['an empty $all', { s: { $all: [] } }, 's'],
    ['17 parts of $all', { s: { $all: Array(17).fill({ $any: true }) } }, 's'],
    ['an empty $email_domain', { mails: { $each: { $email_domain: [] } } }, 'mails'],
    ['an upper-case domain', { mails: { $each: { $email_domain: ['Company.com'] } } }, 'mails'],
    ['a domain with @', { mails: { $each: { $email_domain: ['@company.com'] } } }, 'mails'],
    ['a U-label', { mails: { $each: { $email_domain: ['exämple.com'] } } }, 'mails'],
    ['$min > $max', { n: { $min: 2, $max: 1 } }, 'n'],
    ['$min > $max as decimals', { s: { $min: '10', $max: '9.99' } }, 's'],
    ['$min and $max of two kinds', { either: { $min: 1, $max: '2' } }, 'either'],
    ['$max of no decimal', { s: { $max: '1e3' } }, 's'],
    ['$max: -0', { s: { $max: '-0' } }, 's'],
    ['a decimal of 41 characters', { s: { $max: '1'.repeat(41) } }, 's'],
    ['$prefix on a URL', { url: { $prefix: 'https://api.example' } }, 'url'],
    ['$suffix on a URI', { link: { $suffix: '.pdf' } }, 'link'],
    ['$prefix on addresses', { mails: { $each: { $prefix: 'bob' } } }, 'mails[]'],
    [
      '$suffix on addresses, wrapped',
      { mails: { $each: { $all: [{ $optional: { $suffix: '@company.com' } }] } } },
      'mails[]',
    ],
    ['$suffix on one address', { mails: [{ $suffix: '@company.com' }] }, 'mails[0]'],
    ['$prefix of no string', { s: { $prefix: 1 } }, 's'],
    ['a relative $path_within', { s: { $path_within: 'data' } }, 's'],
    ['a $path_within with ..', { s: { $path_within: '/data/../etc' } }, 's'],
    ['a $path_within with a trailing slash', { s: { $path_within: '/data/' } }, 's'],
    ['a $url_within that is not canonical', { url: { $url_within: 'https://api.example' } }, 'url'],
    ['a $url_within with a query', { url: { $url_within: 'https://api.example/?a' } }, 'url'],
    ['$query: false', { url: { $url_within: 'https://api.example/', $query: false } }, 'url'],
    ['$query alone', { url: { $query: true } }, 'url'],
    ['$max_items alone', { mails: { $max_items: 1 } }, 'mails'],
    ['a negative $max_items', { mails: { $each: { $any: true }, $max_items: -1 } }, 'mails'],
    ['a broken $max_items', { mails: { $each: { $any: true }, $max_items: 1.5 } }, 'mails'],
    ['$max_items: null', { mails: { $each: { $any: true }, $max_items: null } }, 'mails'],
    ['an unknown member', { nope: { $any: true } }, 'nope'],
    ['an inherited member', { toString: { $any: true } }, 'toString'],
    ['an unknown inner member', { o: { nope: { $any: true } } }, 'o.nope'],
    ['a literal with an unknown inner member', { o: { nope: 1 } }, 'o'],
    ['an operator of the bound itself', { $any: true }, '$any'],
    ['a literal of another type', { s: 1 }, 's'],
    ['a literal that is too long', { s: 'x'.repeat(21) }, 's'],
    ['a literal that no address is', { mails: ['Bob <bob@company.com>'] }, 'mails'],
    ['a value of $in of another type', { n: { $in: [1, '2'] } }, 'n'],
    ['a URL that is not canonical', { url: 'https://API.example/' }, 'url'],
    ['a prefix of a number', { n: { $prefix: '1' } }, 'n'],
    ['a number for a decimal', { s: { $max: 10 } }, 's'],
    ['$each of a string', { s: { $each: { $any: true } } }, 's'],
    ['a digest where none may stand', { s: { s256: 'A'.repeat(43) } }, 's'],
    ['too many values', { n: { $in: Array(1_001).fill(1) } }, 'n'],
  ])('%s', (_name, members, member) => {
    expect(parse(members)).toMatchObject({ ...invalid, member })
  })

  test.each<[string, JsonValue]>([
    ['an array', []],
    ['null', null],
    ['no type', {}],
    ['another type', { type: 'email_send' }],
  ])('%s', (_name, value) => expect(parseBound(value, type, { resource: RESOURCE })).toMatchObject(invalid))

  test('more than 16 KiB', () => expect(parse({ free: { a: 'x'.repeat(17_000) } })).toMatchObject(invalid))
  test('20,000 levels, without an exception', () => {
    let deep: JsonValue = 1
    for (let i = 0; i < 20_000; i++) deep = { $optional: deep }
    expect(parse({ s: deep })).toMatchObject(invalid)
  })
})

describe('parseBound accepts', () => {
  test.each<[string, JsonObject]>([
    ['no member', {}],
    ['a literal', { s: 'x', n: 1, o: { a: 'b' } }],
    [
      'free-form JSON with constraints inside',
      { free: { path: { $path_within: '/data' }, deep: [{ $any: true }, { x: { $prefix: '' } }] } },
    ],
    ['a digest where one may stand', { d: { s256: 'A'.repeat(43) } }],
    ['a digest in $in', { d: { $in: ['x', { s256: 'A'.repeat(43) }] } }],
    ['numbers and decimals', { n: { $min: 0, $max: 0 }, s: { $min: '-1.5', $max: '1.50' } }],
    ['a value of either alternative', { either: { $in: ['abc', 5] } }],
    ['addresses', { mails: { $each: { $email_domain: ['company.com'] }, $max_items: 2 } }],
    ['URLs', { url: { $url_within: 'https://api.example/v1/', $query: true } }],
    ['the root path', { s: { $path_within: '/' } }],
  ])('%s', (_name, members) => {
    expect(parse(members)).toMatchObject({ locations: [RESOURCE], json: { type: 'test_type', ...members } })
  })
})

describe('"locations" of a bound', () => {
  const at = (locations: JsonValue | undefined, resource: string | undefined) =>
    parseBound(
      locations === undefined ? { type: 'email_send' } : { type: 'email_send', locations },
      builtin('email_send'),
      { resource },
    )
  test.each<[string, JsonValue | undefined, string | undefined, readonly string[] | undefined]>([
    ['absent, the delegation has a resource', undefined, RESOURCE, [RESOURCE]],
    ['equal to the resource', [RESOURCE], RESOURCE, [RESOURCE]],
    ['another than the resource', ['https://other.example'], RESOURCE, undefined],
    ['more than the resource', [RESOURCE, 'https://other.example'], RESOURCE, undefined],
    ['absent, the delegation has none', undefined, undefined, undefined],
    [
      'two, the delegation has none',
      [RESOURCE, 'https://other.example'],
      undefined,
      [RESOURCE, 'https://other.example'],
    ],
    ['empty', [], undefined, undefined],
    ['null', null, RESOURCE, undefined],
    ['a string', RESOURCE, RESOURCE, undefined],
    ['an operator', { $any: true }, undefined, undefined],
    ['operators inside', [{ $any: true }], undefined, undefined],
    ['twice the same', [RESOURCE, RESOURCE], undefined, undefined],
    ['an empty string', [''], undefined, undefined],
  ])('%s', (_name, locations, resource, expected) => {
    expect(at(locations, resource)).toMatchObject(expected === undefined ? invalid : { locations: expected })
  })
})
