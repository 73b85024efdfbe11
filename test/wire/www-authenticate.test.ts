import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorDescription, memberName } from '../../src/wire/error-description.ts'
import { dpopChallenge } from '../../src/wire/www-authenticate.ts'

describe('errorDescription', () => {
  test.each([
    { text: 'plain text.', safe: 'plain text.' },
    { text: 'a "quoted" \\ word', safe: "a 'quoted' ? word" },
    { text: 'line\r\nX-Evil: 1', safe: 'line??X-Evil: 1' },
    { text: 'é€😀\u007f\u0000', safe: '??????' },
  ])('$text -> $safe', ({ text, safe }) => expect(errorDescription(text)).toBe(safe))

  test('301 characters -> 300', () => expect(errorDescription('x'.repeat(301))).toHaveLength(300))

  test('any text -> printable ASCII without quote and backslash, never longer than it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        expect(errorDescription(text)).toMatch(/^[ !#-[\]-~]{0,300}$/)
        expect(errorDescription(text).length).toBe(Math.min(text.length, 300))
      }),
    )
  })
})

test('memberName keeps paths and hides the rest', () => {
  expect(memberName('to[0].address-x_y')).toBe('to[0].address-x_y')
  expect(memberName('a b"c\\é<')).toBe('a?b?c???')
  expect(memberName('m'.repeat(101))).toHaveLength(100)
})

describe('dpopChallenge (RFC 9449 §7.1)', () => {
  test('without an error only the algorithms', () => {
    expect(dpopChallenge()).toBe('DPoP algs="ES256 Ed25519 EdDSA"')
  })

  test('with everything', () => {
    const resourceMetadata = 'https://rs.example/.well-known/oauth-protected-resource'
    expect(dpopChallenge({ error: 'invalid_token', errorDescription: 'no "token"', resourceMetadata })).toBe(
      `DPoP error="invalid_token", error_description="no 'token'", ` +
        'resource_metadata="https://rs.example/.well-known/oauth-protected-resource", algs="ES256 Ed25519 EdDSA"',
    )
  })

  test('a metadata URL cannot end its quotes', () => {
    expect(dpopChallenge({ resourceMetadata: 'https://rs.example/a"b, algs="x' })).toContain(
      'resource_metadata="https://rs.example/a%22b,%20algs=%22x"',
    )
    expect(() => dpopChallenge({ resourceMetadata: 'no url' })).toThrow()
  })
})
