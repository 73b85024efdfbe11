import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { checkAssertion, readAssertion, verifyAssertion } from '../../src/wire/client-assertion.ts'
import { createKeyObjectCache } from '../../src/wire/key-object-cache.ts'
import { jwt, makeKey } from './signing.ts'

const NOW = 1_800_000_000
const expected = { clientId: 'planner', issuer: 'https://as.example', now: new Date(NOW * 1000) }
const key = makeKey('ES256')
const cache = createKeyObjectCache()
const right = { iss: 'planner', sub: 'planner', aud: 'https://as.example', jti: 'j-1', iat: NOW, exp: NOW + 60 }

/** What becomes of an assertion with these changes, undefined members left out: a code, or `accepted`. */
function outcome(claims: Record<string, unknown>, header: Record<string, unknown> = {}): string {
  const read = readAssertion(jwt(key, header, { ...right, ...claims }))
  const checked = isRefusal(read) ? read : checkAssertion(read, expected)
  return isRefusal(checked) ? checked.code : 'accepted'
}

describe('checkAssertion (RFC 7523 §3)', () => {
  test('gives the pair to mark as used, and until when', () => {
    const read = readAssertion(jwt(key, {}, right))
    expect(isRefusal(read) ? read : checkAssertion(read, expected)).toEqual({
      clientId: 'planner',
      jti: 'j-1',
      iat: NOW,
      rememberUntil: NOW + 120,
    })
  })

  test.each([
    { name: 'typ absent', claims: {}, header: {} },
    { name: 'typ JWT', claims: {}, header: { typ: 'JWT' } },
    { name: 'typ jwt', claims: {}, header: { typ: 'jwt' } },
    { name: 'typ client-authentication+jwt', claims: {}, header: { typ: 'client-authentication+jwt' } },
    { name: 'typ Application/JWT (RFC 7515 §4.1.9)', claims: {}, header: { typ: 'Application/JWT' } },
    { name: 'jti of 256 characters', claims: { jti: 'j'.repeat(256) }, header: {} },
    { name: 'a lifetime of 300 seconds', claims: { exp: NOW + 300 }, header: {} },
    { name: 'expired 29 seconds ago', claims: { iat: NOW - 60, exp: NOW - 29 }, header: {} },
    { name: 'iat 30 seconds ahead', claims: { iat: NOW + 30 }, header: {} },
    { name: 'nbf 30 seconds ahead', claims: { nbf: NOW + 30 }, header: {} },
    { name: 'a claim that we do not know (RFC 7519 §4)', claims: { extra: [1] }, header: {} },
  ])('$name -> accepted', ({ claims, header }) => expect(outcome(claims, header)).toBe('accepted'))

  test.each([
    { name: 'aud is the token endpoint', claims: { aud: 'https://as.example/token' } },
    { name: 'aud is a list of the issuer', claims: { aud: ['https://as.example'] } },
    { name: 'aud with a trailing slash', claims: { aud: 'https://as.example/' } },
    { name: 'aud absent', claims: { aud: undefined } },
    { name: 'iss of another client', claims: { iss: 'other' } },
    { name: 'sub of another client', claims: { sub: 'other' } },
    { name: 'sub absent', claims: { sub: undefined } },
    { name: 'iss absent', claims: { iss: undefined } },
    { name: 'jti absent', claims: { jti: undefined } },
    { name: 'jti empty', claims: { jti: '' } },
    { name: 'jti of 257 characters', claims: { jti: 'j'.repeat(257) } },
    { name: 'jti a number', claims: { jti: 7 } },
    { name: 'iat absent', claims: { iat: undefined } },
    { name: 'exp absent', claims: { exp: undefined } },
    { name: 'exp a string', claims: { exp: `${NOW + 60}` } },
    { name: 'a lifetime of 301 seconds', claims: { exp: NOW + 301 } },
    { name: 'a lifetime of 0 seconds', claims: { exp: NOW } },
    { name: 'a negative lifetime', claims: { exp: NOW - 1 } },
    { name: 'expired 30 seconds ago', claims: { iat: NOW - 60, exp: NOW - 30 } },
    { name: 'iat 31 seconds ahead', claims: { iat: NOW + 31 } },
    { name: 'nbf 31 seconds ahead', claims: { nbf: NOW + 31 } },
    { name: 'nbf a string', claims: { nbf: '0' } },
    { name: 'nbf null', claims: { nbf: null } },
    { name: 'typ at+jwt', claims: {}, header: { typ: 'at+jwt' } },
    { name: 'typ dpop+jwt', claims: {}, header: { typ: 'dpop+jwt' } },
    { name: 'typ empty', claims: {}, header: { typ: '' } },
    { name: 'typ null', claims: {}, header: { typ: null } },
    { name: 'crit', claims: {}, header: { crit: ['exp'] } },
    { name: 'kid a number', claims: {}, header: { kid: 1 } },
  ])('$name -> assertion_invalid', ({ claims, header = {} }) => {
    expect(outcome(claims, header)).toBe('assertion_invalid')
  })
})

describe('readAssertion', () => {
  test('none, or an empty one -> missing', () => {
    for (const none of [undefined, '']) expect(readAssertion(none)).toMatchObject({ code: 'assertion_missing' })
  })

  test('garbage never throws and is always refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1 }),
          fc.jsonValue().map((c) => jwt(key, {}, c as never)),
        ),
        (text) => {
          const read = readAssertion(text)
          expect(isRefusal(read) || typeof read.iss === 'string').toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('verifyAssertion', () => {
  const registered = (count: number) => Array.from({ length: count }, () => makeKey('Ed25519'))
  const asKeys = (keys: readonly ReturnType<typeof makeKey>[]) => keys.map(({ jkt, jwk }) => ({ kid: jkt, jwk }))
  const verified = (
    signer: ReturnType<typeof makeKey>,
    header: object,
    keys: readonly ReturnType<typeof makeKey>[],
  ) => {
    const read = readAssertion(jwt(signer, { ...header }, right))
    const result = isRefusal(read) ? read : verifyAssertion(read, asKeys(keys), cache)
    return isRefusal(result) ? result.code : result.kid
  }
  const others = registered(9)

  test('with kid: the key of that name', () => expect(verified(key, { kid: key.jkt }, [...others, key])).toBe(key.jkt))
  test('without kid: whichever of ten verifies', () => expect(verified(key, {}, [...others, key])).toBe(key.jkt))
  test('without kid: the eleventh is not tried', () => {
    expect(verified(key, {}, [...others, makeKey(), key])).toBe('assertion_invalid')
  })
  test('kid of another registered key -> refused, the right one is not tried', () => {
    expect(verified(key, { kid: others[0]?.jkt }, [...others, key])).toBe('assertion_invalid')
  })
  test('unknown kid -> refused', () => expect(verified(key, { kid: 'x' }, [key])).toBe('assertion_invalid'))
  test('no key registered -> refused', () => expect(verified(key, {}, [])).toBe('assertion_invalid'))
  test('key of another client -> refused', () => expect(verified(makeKey(), {}, [key])).toBe('assertion_invalid'))
  test('a key embedded in the header is never used', () => {
    const stranger = makeKey()
    expect(verified(stranger, { jwk: stranger.jwk }, [key])).toBe('assertion_invalid')
    expect(verified(stranger, { jwk: stranger.jwk, kid: stranger.jkt }, [key])).toBe('assertion_invalid')
  })
})
