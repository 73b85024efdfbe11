import { describe, expect, test } from 'vitest'
import { renderSentence } from '../../../src/core/action/render.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { actionOf, builtin, EXAMPLES, typeOf } from './fixtures.ts'

const email = (change: JsonObject) =>
  renderSentence(actionOf(builtin('email_send'), { ...EXAMPLES.email_send, ...change }))

describe('renderSentence', () => {
  test.each([
    [
      'email_send',
      'Send an email to bob@example.com, eve@example.com, copy to al@company.com, with the subject Minutes and the text Hello',
    ],
    [
      'payment_initiation',
      'Pay 123.50 EUR to “Merchant A”, IBAN DE02100100109307118603, reference “Ref Number Merchant”',
    ],
    [
      'mcp_tool_call',
      'Call the tool files.read with the arguments “{"options":{"lines":[1,2,3]},"path":"/data/a.txt"}”, SHA-256 of the arguments ⟨none⟩',
    ],
  ])('%s', (type, sentence) => {
    expect(renderSentence(actionOf(builtin(type), EXAMPLES[type] as JsonObject))).toContain(sentence)
  })

  test('a digest says that its content is not shown, and words cannot say so', () => {
    expect(email({ body: { s256: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU' } })).toMatch(
      /the text ⟨content not shown to Writ⟩$/,
    )
    expect(email({ body: '⟨content not shown to Writ⟩' })).toMatch(
      /the text “⟨U\+27E8⟩content not shown to Writ⟨U\+27E9⟩”$/,
    )
  })

  test.each([
    ['a right-to-left override', 'a\u202eb', '“a⟨U+202E⟩b”'],
    ['a zero-width space', 'a\u200bb', '“a⟨U+200B⟩b”'],
    ['a line break', 'a\nb', '“a⟨U+000A⟩b”'],
    ['a line separator', 'a\u2028b', '“a⟨U+2028⟩b”'],
    ['a tag character', 'a\u{e0041}b', '“a⟨U+E0041⟩b”'],
    ['a variation selector', 'a\ufe0fb', '“a⟨U+FE0F⟩b”'],
    ['a quotation mark', 'x” and nothing else', '“x⟨U+201D⟩ and nothing else”'],
    ['what looks like a quotation mark', 'x\u201f and nothing else', '“x⟨U+201F⟩ and nothing else”'],
    ['what looks like a mark of ours', '\u3008none\u3009', '“⟨U+3008⟩none⟨U+3009⟩”'],
    ['letters of other scripts', 'Grüße 日本', '“Grüße 日本”'],
    ['an empty string', '', '“”'],
  ])('%s is shown', (_name, body, shown) => {
    expect(email({ body }).endsWith(`the text ${shown}`)).toBe(true)
  })

  test('a long value is cut and says how much is missing', () => {
    expect(email({ body: '😀'.repeat(201) })).toMatch(/😀⟨1 more characters⟩”$/u)
    expect(email({ to: Array.from({ length: 12 }, (_, i) => `u${i}@example.com`) })).toContain(
      'u9@example.com ⟨and 2 more⟩',
    )
  })

  test('a sentence stays short, whatever the action', () => {
    const type = typeOf(
      { a: { type: 'array', items: { type: 'array', items: { type: 'string' } } } },
      { template: 'Do {a}' },
    )
    const action = actionOf(type, { a: Array(50).fill(Array(500).fill('x')) })
    expect(renderSentence(action).length).toBeLessThan(3_000)
  })
})
