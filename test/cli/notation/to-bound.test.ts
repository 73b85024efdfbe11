import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NotationError, pointAt } from '../../../src/cli/notation/notation-error.ts'
import { toBound } from '../../../src/cli/notation/to-bound.ts'
import { type ActionType, type ActionTypeDefinition, compileActionType } from '../../../src/core/action/action-type.ts'
import { BUILTIN_ACTION_TYPES } from '../../../src/core/action/builtin/builtin-action-types.ts'
import { parseBound } from '../../../src/core/delegation/bound.ts'
import { isRefusal } from '../../../src/core/refusal.ts'

const text = { type: 'string', maxLength: 200 }
const BOOKING: ActionTypeDefinition = {
  type: 'room_booking',
  title: 'Room booking',
  schema: {
    type: 'object',
    properties: {
      room: text,
      seats: { type: 'integer', minimum: 0, maximum: 1000 },
      price: { type: 'string', maxLength: 40, pattern: '^[0-9.]+$' },
      isPublic: { type: 'boolean' },
      note: { type: ['string', 'null', 'number'], maxLength: 200 },
      file: text,
      tags: { type: 'array', maxItems: 20, items: text },
      sizes: { type: 'array', maxItems: 20, items: { type: 'number' } },
      host: {
        type: 'object',
        properties: { name: text, floor: { type: 'integer' } },
        required: ['name'],
        additionalProperties: false,
      },
      extra: { type: 'object', 'x-free-form': true },
      link: { type: 'string', format: 'canonical-url', maxLength: 200 },
    },
    required: ['room'],
    additionalProperties: false,
  },
  template: 'Book {room}',
  risk: 'write',
}

const compiled = (definition: ActionTypeDefinition): ActionType => {
  const type = compileActionType(definition, 1)
  if (isRefusal(type)) throw new Error(type.detail)
  return type
}
const TYPES = new Map([...BUILTIN_ACTION_TYPES, BOOKING].map((definition) => [definition.type, compiled(definition)]))
const typeOf = (notation: string) => TYPES.get(notation.trim().split(/\s/)[0] ?? '') ?? compiled(BOOKING)
const boundOf = (notation: string) => toBound(notation, typeOf(notation)).bound
const members = (notation: string) => {
  const { type: _, room: __, ...rest } = boundOf(`room_booking ${notation}`)
  return rest
}

describe('the notation says', () => {
  test('what the issue says it does', () => {
    expect(toBound('email_send to=*@company.com max-items=2', typeOf('email_send'))).toEqual({
      bound: {
        type: 'email_send',
        to: { $each: { $email_domain: ['company.com'] }, $max_items: 2 },
        subject: { $any: true },
        body: { $any: true },
      },
      implied: ['subject', 'body'],
    })
  })

  test.each([
    ['file=abc', { file: 'abc' }],
    ['file="a b * | .."', { file: 'a b * | ..' }],
    ['file=""', { file: '' }],
    ['file="say \\"hi\\" \\\\"', { file: 'say "hi" \\' }],
    ['file=a|b|"c d"', { file: { $in: ['a', 'b', 'c d'] } }],
    ['file=*', { file: { $any: true } }],
    ['file="*"', { file: '*' }],
    ['file=abc*', { file: { $prefix: 'abc' } }],
    ['file="a b"*', { file: { $prefix: 'a b' } }],
    ['file=*.pdf', { file: { $suffix: '.pdf' } }],
    ['file="*"*', { file: { $prefix: '*' } }],
    ['file=a..b', { file: 'a..b' }],
    ['file=within:/data', { file: { $path_within: '/data' } }],
    ['file=within:/', { file: { $path_within: '/' } }],
    ['file="within:/data"', { file: 'within:/data' }],
    ['file=*@company.com', { file: { $email_domain: ['company.com'] } }],
    ['link=url:https://api.example/v1/', { link: { $url_within: 'https://api.example/v1/' } }],
    ['link=url:https://api.example/v1/?*', { link: { $url_within: 'https://api.example/v1/', $query: true } }],
    ['link=https://api.example/a', { link: 'https://api.example/a' }],
    ['seats=4', { seats: 4 }],
    ['seats=4|5', { seats: { $in: [4, 5] } }],
    ['seats<=4', { seats: { $max: 4 } }],
    ['seats=<=4', { seats: { $max: 4 } }],
    ['seats>=4', { seats: { $min: 4 } }],
    ['seats=2..4', { seats: { $min: 2, $max: 4 } }],
    ['seats=2..', { seats: { $min: 2 } }],
    ['seats=..4', { seats: { $max: 4 } }],
    ['seats=-2..4', { seats: { $min: -2, $max: 4 } }],
    ['price<=99.50', { price: { $max: '99.50' } }],
    ['price=10..20.5', { price: { $min: '10', $max: '20.5' } }],
    ['price=10', { price: '10' }],
    ['isPublic=true', { isPublic: true }],
    ['note=null', { note: null }],
    ['note="null"', { note: 'null' }],
    ['note=5', { note: 5 }],
    ['note="5"', { note: '5' }],
    ['note?=hi', { note: { $optional: 'hi' } }],
    ['note?=*', { note: { $any: true } }],
    ['tags=a', { tags: { $each: 'a' } }],
    ['tags=a|b max-items=3', { tags: { $each: { $in: ['a', 'b'] }, $max_items: 3 } }],
    ['tags=*', { tags: { $any: true } }],
    ['tags=* max-items=0', { tags: { $each: { $any: true }, $max_items: 0 } }],
    ['tags?=a* max-items=2', { tags: { $optional: { $each: { $prefix: 'a' }, $max_items: 2 } } }],
    ['tags=["a", "b c"]', { tags: ['a', 'b c'] }],
    ['sizes<=10 max-items=2', { sizes: { $each: { $max: 10 }, $max_items: 2 } }],
    ['host.name=Ann host.floor=1..3', { host: { name: 'Ann', floor: { $min: 1, $max: 3 } } }],
    ['host.floor=1', { host: { floor: 1, name: { $any: true } } }],
    ['host={"name":{"$prefix":"A }"}}', { host: { name: { $prefix: 'A }' } } }],
    ['extra.path=within:/data', { extra: { path: { $path_within: '/data' } } }],
    ['extra.n=5 extra.s="5" extra.b=yes', { extra: { n: 5, s: '5', b: 'yes' } }],
    ['extra.files=a* max-items=1', { extra: { files: { $each: { $prefix: 'a' }, $max_items: 1 } } }],
    ['extra={}', { extra: {} }],
    ['locations=https://a.example|https://b.example/x', { locations: ['https://a.example', 'https://b.example/x'] }],
  ])('%s', (notation, expected) => {
    expect(members(notation)).toEqual(expected)
    const place = { resource: 'locations' in expected ? undefined : 'https://r.example' }
    expect(isRefusal(parseBound(boundOf(`room_booking ${notation}`), compiled(BOOKING), place))).toBe(false)
  })

  test('a choice between members that the type asks for', () => {
    expect(boundOf('mcp_tool_call tool=search arguments.query=*')).toEqual({
      type: 'mcp_tool_call',
      tool: 'search',
      arguments: { query: { $any: true } },
    })
  })
})

describe('what is wrong is pointed at', () => {
  test.each([
    ['', 'expected the name of an action type', 0],
    ['to=a', 'expected an action type first', 0],
    ['room_booking colour=red', 'the type has no member colour; it has room, seats', 13],
    ['room_booking host.age=1', 'the object has no member age; it has name, floor', 18],
    ['room_booking room', 'expected = after room', 17],
    ['room_booking room=', 'expected a value', 18],
    ['room_booking room= file=a', 'expected a value', 18],
    ['room_booking room="a', 'not closed', 18],
    ['room_booking room="a\\n"', 'inside quotes', 20],
    ['room_booking room=a*b', '* stands alone, at the end', 19],
    ['room_booking room=*a*', '* stands alone, at the end', 20],
    ['room_booking room=a|', 'expected a value beside |', 20],
    ['room_booking room=a|b*', 'with | stand values, or patterns', 18],
    ['room_booking room=a room=b', 'room is there already', 20],
    ['room_booking host=* host.name=a', 'host is there already', 20],
    ['room_booking seats=four', 'expected a number, found "four"', 19],
    ['room_booking seats="4"', 'found a text in quotes', 20],
    ['room_booking seats<4', 'expected = after seats', 18],
    ['room_booking seats=<4', 'only <= and >=', 19],
    ['room_booking seats<=many', 'expected a number such as', 20],
    ['room_booking seats=4..2', '"$min" must not be greater', 19],
    ['room_booking seats=a*', 'the member is a number, not a text', 19],
    ['room_booking seats=9007199254740993', 'expected a number', 19],
    ['room_booking isPublic=1..2', 'not a number', 22],
    ['room_booking host=Ann', 'name its members', 18],
    ['room_booking room=a max-items=2', 'limits a list, and this member is a text', 20],
    ['room_booking max-items=2', 'stands after the member', 13],
    ['room_booking tags=a max-items=few', 'expected a whole number', 30],
    ['room_booking tags=a max-items=1 max-items=2', 'max-items is there already', 32],
    ['room_booking tags=["a"', 'not closed', 18],
    ['room_booking tags=[a]', 'not valid JSON', 18],
    ['room_booking tags={"$bogus":1}', 'unknown operator', 18],
    ['room_booking tags=["a"] max-items=1', 'write "$max_items" into it', 24],
    ['room_booking file=within:data', 'expected an absolute path', 25],
    ['room_booking file=within:/a/../b', 'expected an absolute path', 25],
    ['room_booking file=within:/data/*', 'leave the * out', 31],
    ['room_booking file=within:/a|/b', 'one place only', 27],
    ['room_booking link=url:https://a.example/*', 'leave the * out', 40],
    ['room_booking link=url:https://API.example/', 'write url:https://api.example/', 22],
    ['room_booking link=url:ftp://api.example/', 'expected a canonical http(s) URL', 22],
    ['room_booking link=https*', 'a prefix or suffix bounds neither', 18],
    ['room_booking link=*@a.com', 'this is a URL', 18],
    ['room_booking file=*@Company.com', 'a domain in lower case', 20],
    ['email_send to=*company.com', 'write *@company.com', 14],
    ['email_send to=a@x.com,b@x.com', 'joined by |', 21],
    ['mcp_tool_call tool=search', 'an action has arguments or arguments_s256', 13],
    [`room_booking room="${'a'.repeat(17_000)}"`, 'longer than', 0],
    ['room_booking locations=https://*', 'each in full', 23],
  ])('%s: %s', (notation, message, at) => {
    let error: unknown
    try {
      boundOf(notation)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(NotationError)
    expect((error as NotationError).message).toContain(message)
    expect((error as NotationError).at).toBe(at)
  })

  test('the arrow stands below the character, in a long text too', () => {
    expect(pointAt('a=b c', 2)).toBe('a=b c\n  ^')
    const [line = '', arrow = ''] = pointAt(`${'x'.repeat(200)}!${'y'.repeat(200)}`, 200).split('\n')
    expect(line[arrow.indexOf('^')]).toBe('!')
    expect(line.length).toBeLessThan(120)
  })
})

/** Values of every form, as a person may write them, and the members that they fit. */
const word = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,8}$/)
const quoted = fc
  .string({ maxLength: 12, unit: 'grapheme' })
  .filter((value) => !/[\p{Cs}\p{Cc}]/u.test(value))
  .map((value) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`)
const literal = fc.oneof(word, quoted)
const domain = fc.stringMatching(/^[a-z][a-z0-9]{0,8}\.com$/)
const textual = fc.oneof(
  literal,
  fc.array(literal, { minLength: 2, maxLength: 4 }).map((words) => words.join('|')),
  fc.constant('*'),
  literal.map((value) => `${value}*`),
  literal.map((value) => `*${value}`),
  domain.map((value) => `*@${value}`),
  word.map((value) => `within:/${value}/x`),
  word.map((value) => `url:https://a.example/${value}/`),
)
const whole = fc.integer({ min: 0, max: 500 })
const numeric = fc.oneof(
  whole.map(String),
  fc.tuple(whole, whole).map(([a, b]) => `${Math.min(a, b)}..${Math.max(a, b)}`),
  whole.map((n) => `<=${n}`),
  whole.map((n) => `>=${n}`),
)
const clause = fc.oneof(
  fc.tuple(fc.constantFrom('room', 'file', 'host.name', 'extra.a'), fc.constantFrom('', '?'), textual),
  fc.tuple(fc.constantFrom('seats', 'host.floor', 'extra.b'), fc.constantFrom('', '?'), numeric),
  fc.tuple(
    fc.constant('tags'),
    fc.constantFrom('', '?'),
    fc.tuple(textual, whole).map(([v, n]) => `${v} max-items=${n}`),
  ),
)

test('whatever can be written is a bound that the server takes', () => {
  const type = compiled(BOOKING)
  const clauses = fc.uniqueArray(clause, { maxLength: 6, selector: ([path]) => path })
  fc.assert(
    fc.property(clauses, (parts) => {
      const notation = ['room_booking', ...parts.map(([path, mark, value]) => `${path}${mark}=${value}`)].join(' ')
      const parsed = parseBound(toBound(notation, type).bound, type, { resource: 'https://r.example' })
      expect(isRefusal(parsed) ? `${notation}: ${parsed.detail}` : 'taken').toBe('taken')
    }),
    { numRuns: 2_000 },
  )
})

test('text of any kind is read, or said to be wrong at a character of it', () => {
  const type = compiled(BOOKING)
  const piece = fc.oneof(
    fc.constantFrom(
      'room_booking',
      ' ',
      'room',
      '=',
      '"',
      '*',
      '|',
      '<=',
      '..',
      'max-items',
      '?',
      '{',
      '[',
      '}',
      '.',
      '\\',
    ),
    fc.string({ maxLength: 4 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const notation = pieces.join('')
      try {
        toBound(notation, type)
      } catch (error) {
        expect(error).toBeInstanceOf(NotationError)
        expect((error as NotationError).at).toBeGreaterThanOrEqual(0)
        expect((error as NotationError).at).toBeLessThanOrEqual(notation.length)
      }
    }),
    { numRuns: 3_000 },
  )
})
