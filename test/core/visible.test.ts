import { describe, expect, test } from 'vitest'
import { jsonText, visible } from '../../src/core/visible.ts'

describe('on a terminal', () => {
  test.each([
    ['escape', 'a\u001b[2Jb'],
    ['right-to-left override', 'a\u202eb'],
    ['zero-width space', 'a\u200bb'],
    ['no-break space', 'a\u00a0b'],
    ['ideographic space', 'a\u3000b'],
    ['hangul filler', 'a\u3164b'],
    ['variation selector', 'a\ufe0fb'],
    ['combining grapheme joiner', 'a\u034fb'],
    ['braille blank', 'a\u2800b'],
    ['stroke through', 'a\u0336b'],
    ['tag character', 'a\u{e0041}b'],
  ])('%s is named, and in JSON it is written as an escape', (_, text) => {
    expect(visible(text)).toMatch(/^a⟨U\+[0-9A-F]{4,6}⟩/)
    const json = jsonText({ text })
    expect(json).toMatch(/^[\n\x20-\x7e]*$/)
    expect(JSON.parse(json)).toEqual({ text })
  })

  test('letters of any script, and the space, are what they are', () => {
    for (const text of ['Grüße an Łukasz', '東京', 'שלום', 'हिन्दी', 'a b']) expect(visible(text)).toBe(text)
  })
})
