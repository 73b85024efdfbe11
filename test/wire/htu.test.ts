import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sameTarget } from '../../src/wire/htu.ts'

describe('sameTarget', () => {
  test.each([
    ['https://rs.example/a', 'https://rs.example/a', true],
    ['https://rs.example/a', 'https://rs.example/a?b=c', true],
    ['https://RS.example:443/%61', 'https://rs.example/a', true],
    // What is left when one escape is resolved is not resolved again.
    ['https://rs.example/%41', 'https://rs.example/%%34%31', false],
    ['https://rs.example/%2541', 'https://rs.example/%41', false],
    ['https://rs.example/b', 'https://rs.example/a', false],
    ['https://user@rs.example/a', 'https://user@rs.example/a', false],
    ['https://rs.example/a\\b', 'https://rs.example/a\\b', false],
    ['https://999.999.999.999/a', 'https://999.999.999.999/a', false],
    ['/a', '/a', false],
  ])('%s for a request to %s: %s', (claimed, request, is) => {
    // Twice: what is remembered of an origin answers as it did.
    expect([sameTarget(claimed, request), sameTarget(claimed, request)]).toEqual([is, is])
  })

  test('what a text is the target of does not depend on what was asked before', () => {
    const piece = fc.constantFrom(
      'a',
      'A',
      '%',
      '%41',
      '%61',
      '34',
      '31',
      '/',
      '?',
      '@',
      '.',
      ':',
      ':443',
      '\\',
      '[',
      ' ',
    )
    const url = fc
      .tuple(fc.constantFrom('https://', 'http://', 'HTTPS://', ''), fc.array(piece, { maxLength: 7 }))
      .map(([scheme, pieces]) => scheme + pieces.join(''))
    fc.assert(
      fc.property(url, url, (a, b) => {
        const before = sameTarget(a, b)
        for (let i = 0; i < 70; i++) sameTarget(`https://h${i}.example/`, `https://h${i}.example/`)
        expect(sameTarget(a, b)).toBe(before)
        expect(sameTarget(b, a)).toBe(before)
      }),
      { numRuns: 500 },
    )
  })
})
