import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emailSend } from '../../../../src/core/action/builtin/email-send.ts'
import { paymentInitiation } from '../../../../src/core/action/builtin/payment-initiation.ts'
import { readConstraint } from '../../../../src/core/delegation/constraint.ts'
import { explainBound } from '../../../../src/core/delegation/explain/explain-bound.ts'
import { phrase } from '../../../../src/core/delegation/explain/phrase.ts'
import type { JsonObject, JsonValue } from '../../../../src/core/json.ts'

const typed = ({ digestible = {}, ...type }: typeof emailSend) => ({
  ...type,
  digestible,
  schema: type.schema as JsonObject,
})

describe('a constraint in words', () => {
  test.each<[JsonValue, string]>([
    ['a', '“a”'],
    [4, '4'],
    [null, 'null'],
    [['a', 1], 'the list [“a”, 1]'],
    [{ s256: 'x'.repeat(43) }, `what has the SHA-256 ${'x'.repeat(43)}`],
    [{ a: 1 }, '{"a":1}'],
    [{ $any: true }, 'anything'],
    [{ $optional: 'a' }, 'absent, or “a”'],
    [{ $in: ['a', 'b'] }, 'one of “a”, “b”'],
    [{ $in: ['a'] }, '“a”'],
    [{ $min: 1 }, 'at least 1'],
    [{ $max: '9.50' }, 'at most 9.50'],
    [{ $min: 1, $max: 2 }, 'from 1 to 2'],
    [{ $prefix: 'a' }, 'a text that begins with “a”'],
    [{ $suffix: 'a' }, 'a text that ends with “a”'],
    [{ $email_domain: ['a.com', 'b.com'] }, 'an address at a.com or b.com'],
    [{ $path_within: '/d' }, 'the path /d or one inside it'],
    [{ $url_within: 'https://a.example/' }, 'the URL https://a.example/ or one inside it, without a query'],
    [
      { $url_within: 'https://a.example/', $query: true },
      'the URL https://a.example/ or one inside it, with or without a query',
    ],
    [{ $each: { $any: true }, $max_items: 1 }, 'at most 1 item, whatever they are'],
    [{ $each: 'a' }, 'a list of any length, each “a”'],
    [{ $all: [{ $prefix: 'a' }, { $suffix: 'b' }] }, 'a text that begins with “a”, and a text that ends with “b”'],
    [[{ $any: true }, 'b'], 'a list of exactly 2: (1) anything, (2) “b”'],
    [{ a: { $any: true }, b: 1 }, 'an object with a: anything; b: 1; and nothing else'],
    ['a\u001b[2J\u202eb', '“a⟨U+001B⟩[2J⟨U+202E⟩b”'],
  ])('%j', (json, expected) => {
    expect(phrase(readConstraint(json))).toBe(expected)
  })
})

describe('a bound in words', () => {
  test('names every member of the type, and what must be absent', () => {
    const bound = {
      type: 'email_send',
      body: { $any: true },
      to: { $each: { $email_domain: ['a.com'] } },
      subject: 'Hi',
    }
    expect(explainBound(bound, typed(emailSend))).toEqual({
      title: 'Email (email_send)',
      sentence:
        'Send an email to ⟨a list of any length, each an address at a.com⟩, copy to ⟨none⟩, with the subject ⟨“Hi”⟩ and the text ⟨anything⟩',
      members: [
        { path: 'to', may: 'a list of any length, each an address at a.com' },
        { path: 'subject', may: '“Hi”' },
        { path: 'body', may: 'anything, even unseen (as a digest)' },
        { path: 'cc', may: 'must be absent' },
      ],
      locations: undefined,
      useless: undefined,
    })
  })

  test('says when nothing can fit', () => {
    const { useless } = explainBound({ type: 'email_send', to: { $any: true } }, typed(emailSend))
    expect(useless).toBe('every action has subject, body, which this does not allow')
  })

  test('goes into objects, member by member', () => {
    const bound = {
      type: 'payment_initiation',
      locations: ['https://bank.example'],
      instructedAmount: { currency: 'EUR', amount: { $max: '100' } },
      creditorName: { $any: true },
      creditorAccount: { iban: 'DE02' },
      remittanceInformationUnstructured: { $any: true },
    }
    const { members, sentence, locations, useless } = explainBound(bound, typed(paymentInitiation))
    expect(members).toEqual([
      { path: 'instructedAmount', may: 'an object with' },
      { path: 'instructedAmount.amount', may: 'at most 100' },
      { path: 'instructedAmount.currency', may: '“EUR”' },
      { path: 'creditorName', may: 'anything' },
      { path: 'creditorAccount', may: 'an object with' },
      { path: 'creditorAccount.iban', may: '“DE02”' },
      { path: 'creditorAccount.bic', may: 'must be absent' },
      { path: 'remittanceInformationUnstructured', may: 'anything, or absent' },
    ])
    expect(sentence).toContain('Pay ⟨at most 100⟩ ⟨“EUR”⟩ to ⟨anything⟩, IBAN ⟨“DE02”⟩')
    expect(locations).toEqual(['https://bank.example'])
    expect(useless).toBeUndefined()
  })

  test('of a type that is not known any more still names every member', () => {
    expect(
      explainBound({ type: 'gone', a: 1, b: { c: { $any: true } } }, undefined).members.map(({ path }) => path),
    ).toEqual(['a', 'b', 'b.c'])
  })
})

/** Each operand is a number that is found nowhere else in the bound. */
test('nothing that a bound says is left out', () => {
  let counter = 0
  const fresh = fc.constant(null).map(() => 10_000 + counter++)
  const { constraint } = fc.letrec<{ constraint: JsonValue }>((tie) => ({
    constraint: fc.oneof(
      { maxDepth: 4 },
      fresh,
      fresh.map((n) => `t${n}`),
      fresh.map((n) => ({ $min: n })),
      fc.tuple(fresh, fresh).map(([a, b]) => ({ $min: Math.min(a, b), $max: Math.max(a, b) })),
      fresh.map((n) => ({ $prefix: `p${n}` })),
      fresh.map((n) => ({ $path_within: `/d${n}` })),
      fc.array(fresh, { minLength: 1, maxLength: 3 }).map(($in) => ({ $in })),
      fresh.map((n) => ({ $email_domain: [`d${n}.com`] })),
      tie('constraint').map(($optional) => ({ $optional })),
      fc.tuple(tie('constraint'), fresh).map(([$each, $max_items]) => ({ $each, $max_items })),
      fc.array(tie('constraint'), { minLength: 1, maxLength: 3 }).map(($all) => ({ $all })),
      fc.array(tie('constraint'), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), tie('constraint'), { maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^m[a-z]{1,3}$/), constraint, { maxKeys: 4 }), (members) => {
      const bound = { type: 'gone', ...members }
      const told = explainBound(bound, undefined)
        .members.map(({ path, may }) => `${path}: ${may}`)
        .join('\n')
      for (const operand of JSON.stringify(members).match(/\d{5,}/g) ?? []) expect(told).toContain(operand)
      for (const name of Object.keys(members)) expect(told).toContain(`${name}`)
    }),
    { numRuns: 1_000 },
  )
})
