import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ownPath } from '../../../src/core/people/own-path.ts'

describe('a path of ours', () => {
  test.each([
    ['/', '/'],
    ['/me', '/me'],
    ['/me/approvals/apr_1?a=1&b=%2F%2Fevil', '/me/approvals/apr_1?a=1&b=%2F%2Fevil'],
    ['/a/../b', '/b'],
    ['/me#part', '/me'],
    ['/%2f%2fevil.example', '/%2f%2fevil.example'],
    ['/@evil.example', '/@evil.example'],
  ])('%j is one: %j', (text, path) => expect(ownPath(text)).toBe(path))

  test.each([
    undefined,
    '',
    'me',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/me\\..\\..',
    '/\t/evil.example',
    '/\n/evil.example',
    ' /me',
    '/me me',
    '/ü',
    '/\u2215evil.example',
    'https://evil.example',
    'https:evil.example',
    'javascript:alert(1)',
    '/..//evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    `/${'a'.repeat(2_048)}`,
  ])('%j is none', (text) => expect(ownPath(text)).toBeUndefined())

  test('whatever it is made of, it stays where it is, however often it is resolved', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '//',
      '%2f',
      '%5c',
      '%2e',
      '@',
      ':',
      '?',
      '#',
      'evil.example',
      '\t',
      'a',
    )
    const text = fc.array(piece, { maxLength: 10 }).map((pieces) => `/${pieces.join('')}`)
    fc.assert(
      fc.property(
        fc.oneof(text, fc.string()),
        fc.constantFrom('https://as.example', 'http://localhost:3000'),
        (from, issuer) => {
          const path = ownPath(from)
          if (path === undefined) return
          const once = new URL(path, issuer)
          expect(once.origin).toBe(issuer)
          expect(new URL(`${once.pathname}${once.search}`, issuer).href).toBe(once.href)
          expect(ownPath(path)).toBe(path)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
