import { describe, expect, test } from 'vitest'
import { digestMembers, parseAction } from '../../../src/core/action/parse-action.ts'
import { sha256Base64url } from '../../../src/core/hash.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { actionOf, builtin, EXAMPLES, RESOURCE, typeOf } from './fixtures.ts'

const DIGEST = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'
const email = builtin('email_send')
const example = (type: string) => ({ type, ...EXAMPLES[type] })

describe('parseAction', () => {
  test.each(Object.keys(EXAMPLES))('accepts the example of %s', (type) => {
    expect(parseAction(example(type), builtin(type), RESOURCE)).toMatchObject({
      details: { ...EXAMPLES[type], type, locations: [RESOURCE] },
    })
  })

  test('gives the same canonical form and digest whatever the order, with and without "locations"', () => {
    const action = actionOf(email, EXAMPLES.email_send as JsonObject)
    const { to, cc, subject, body } = EXAMPLES.email_send as JsonObject
    const other = actionOf(email, { body, subject, locations: [RESOURCE], cc, to } as JsonObject)
    expect(other.canonical).toBe(action.canonical)
    expect(action.canonical).toBe(
      `{"body":"Hello","cc":["al@company.com"],"locations":["${RESOURCE}"],"subject":"Minutes","to":["bob@example.com","eve@example.com"],"type":"email_send"}`,
    )
    expect(action.digest).toBe(sha256Base64url(action.canonical))
  })

  test.each<[string, JsonValue, string, string | undefined]>([
    ['an array', [], 'action_malformed', undefined],
    ['null', null, 'action_malformed', undefined],
    ['a string', 'email_send', 'action_malformed', undefined],
    ['no type', {}, 'action_malformed', 'type'],
    ['another type', { type: 'http_request' }, 'action_malformed', 'type'],
    ['another location', { locations: ['https://other.example'] }, 'locations_mismatch', 'locations'],
    ['two locations', { locations: [RESOURCE, RESOURCE] }, 'locations_mismatch', 'locations'],
    ['no location in the list', { locations: [] }, 'locations_mismatch', 'locations'],
    ['a location that is a string', { locations: RESOURCE }, 'locations_mismatch', 'locations'],
    ['a location that is null', { locations: null }, 'locations_mismatch', 'locations'],
    ['a trailing slash', { locations: [`${RESOURCE}/`] }, 'locations_mismatch', 'locations'],
    ['an unknown member', { bcc: ['x@evil.example'] }, 'action_member_invalid', 'bcc'],
    ['an unknown member, inherited', { toString: 'x' }, 'action_member_invalid', 'toString'],
    ['an operator', { body: { $any: true } }, 'action_member_invalid', 'body.$any'],
    ['an operator at the top', { $any: true }, 'action_member_invalid', '$any'],
    ['an element that is no address', { to: ['a@b.example', 'B'] }, 'action_member_invalid', 'to[1]'],
    ['no addressee', { to: [] }, 'action_member_invalid', 'to'],
    ['too many addressees', { to: Array(1_001).fill('a@b.example') }, 'action_member_invalid', 'to'],
    ['a line break in the subject', { subject: 'a\r\nBcc: x@evil.example' }, 'action_member_invalid', 'subject'],
    ['a C1 control in the subject', { subject: 'a\u0085b' }, 'action_member_invalid', 'subject'],
    ['a number for a string', { subject: 1 }, 'action_member_invalid', 'subject'],
    ['a digest where none may stand', { subject: { s256: DIGEST } }, 'action_member_invalid', 'subject'],
    ['a short digest', { body: { s256: 'abc' } }, 'action_member_invalid', 'body'],
    ['a digest and more', { body: { s256: DIGEST, extra: 1 } }, 'action_member_invalid', 'body'],
    ['a digest with "="', { body: { s256: `${DIGEST}=` } }, 'action_member_invalid', 'body'],
    ['a lone surrogate', { body: '\ud800' }, 'action_malformed', undefined],
  ])('refuses %s', (_name, change, code, member) => {
    const isChange =
      typeof change === 'object' && change !== null && !Array.isArray(change) && Object.keys(change).length > 0
    const refusal = parseAction(
      isChange ? { ...example('email_send'), ...(change as JsonObject) } : change,
      email,
      RESOURCE,
    )
    expect(refusal).toMatchObject({ code })
    expect((refusal as { member?: string }).member?.replace(/^body.*/, 'body')).toBe(member?.replace(/^body.*/, 'body'))
  })

  test.each(['to', 'subject', 'body'])('refuses an email without %s', (name) => {
    const { [name]: _removed, ...rest } = example('email_send') as JsonObject
    expect(parseAction(rest, email, RESOURCE)).toMatchObject({ code: 'action_member_invalid', member: name })
  })

  test.each<[string, JsonObject]>([
    ['http_request', { method: 'get' }],
    ['http_request', { url: 'https://api.example/a/../b' }],
    ['http_request', { url: 'https://API.example/' }],
    ['http_request', { url: 'https://api.example/%2e%2e/b' }],
    ['http_request', { url: 'https://user@api.example/' }],
    ['http_request', { url: 'https://api.example/#x' }],
    ['http_request', { url: 'ftp://api.example/' }],
    ['http_request', { body_s256: 'abc' }],
    ['http_request', { body_s256: { s256: DIGEST } }],
    ['http_request', { content_type: 'a\r\nX: y' }],
    ['mcp_tool_call', { arguments_s256: DIGEST }],
    ['mcp_tool_call', { arguments: [] }],
    ['mcp_tool_call', { arguments: { $filter: 'x' } }],
    ['mcp_tool_call', { tool: '' }],
    ['mcp_tool_call', { tool: 'a b' }],
    ['payment_initiation', { instructedAmount: { currency: 'EUR', amount: '-1' } }],
    ['payment_initiation', { instructedAmount: { currency: 'EUR', amount: 1 } }],
    ['payment_initiation', { instructedAmount: { currency: 'EUR', amount: '01' } }],
    ['payment_initiation', { instructedAmount: { currency: 'eur', amount: '1' } }],
    ['payment_initiation', { instructedAmount: { amount: '1' } }],
    ['payment_initiation', { creditorAccount: { iban: 'DE02 1001' } }],
    ['payment_initiation', { creditorAccount: {} }],
    ['sql_statement', { statement_s256: DIGEST }],
    ['sql_statement', { tables: ['orders'] }],
    ['sql_statement', { tables: ['public.b', 'public.a'] }],
    ['sql_statement', { tables: ['public.a', 'public.a'] }],
    ['sql_statement', { parameters: [{ a: 1 }] }],
    ['sql_statement', { operation: 'drop table' }],
  ])('refuses %s with %j', (type, change) => {
    expect(parseAction({ ...example(type), ...change }, builtin(type), RESOURCE)).toMatchObject({
      code: 'action_member_invalid',
    })
  })

  test('takes exactly one of two alternatives, by digest or in full', () => {
    const { arguments: _none, ...call } = example('mcp_tool_call') as JsonObject
    const type = builtin('mcp_tool_call')
    expect(parseAction(call, type, RESOURCE)).toMatchObject({ code: 'action_member_invalid' })
    expect(parseAction({ ...call, arguments_s256: DIGEST }, type, RESOURCE)).toMatchObject({
      details: { tool: 'files.read' },
    })
  })

  test('names an inner member by its path', () => {
    const type = builtin('payment_initiation')
    const bad = { ...example('payment_initiation'), instructedAmount: { currency: 'EUR', amount: '1,50' } }
    expect(parseAction(bad, type, RESOURCE)).toMatchObject({ member: 'instructedAmount.amount' })
    const more = { ...example('payment_initiation'), creditorAccount: { iban: 'DE02100100109307118603', x: 1 } }
    expect(parseAction(more, type, RESOURCE)).toMatchObject({ member: 'creditorAccount.x' })
  })

  test('refuses what is nested too deeply, without overflowing', () => {
    let deep: JsonValue = 1
    for (let i = 0; i < 20_000; i++) deep = [deep]
    expect(
      parseAction({ type: 'mcp_tool_call', tool: 'x', arguments: { deep } }, builtin('mcp_tool_call'), RESOURCE),
    ).toMatchObject({
      code: 'action_member_invalid',
    })
  })
})

describe('digestMembers', () => {
  test('replaces a string by the digest of its UTF-8 bytes, and a digest by itself', () => {
    const action = actionOf(email, { ...EXAMPLES.email_send, body: 'é' })
    expect(digestMembers(action)).toEqual({
      ...action.details,
      body: { s256: sha256Base64url(new Uint8Array([0xc3, 0xa9])) },
    })
    const hidden = actionOf(email, { ...EXAMPLES.email_send, body: { s256: DIGEST } })
    expect(digestMembers(hidden)).toEqual(hidden.details)
  })

  test('replaces inner members, and JSON by the digest of its canonical form', () => {
    const type = typeOf(
      {
        outer: {
          type: 'object',
          properties: { data: { type: 'object', 'x-free-form': true }, n: { type: 'number' } },
          additionalProperties: false,
        },
      },
      { digestible: { 'outer.data': 'jcs' } },
    )
    const action = actionOf(type, { outer: { n: 1, data: { b: 2, a: 1 } } })
    expect(digestMembers(action).outer).toEqual({ n: 1, data: { s256: sha256Base64url('{"a":1,"b":2}') } })
    expect(digestMembers(actionOf(type, {}))).toEqual({ type: 'test_type', locations: [RESOURCE] })
  })
})
