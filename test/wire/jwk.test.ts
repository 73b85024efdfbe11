import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { jwkThumbprint, type PublicJwk, parsePublicJwk, readPublicJwk } from '../../src/wire/jwk.ts'
import { createKeyObjectCache } from '../../src/wire/key-object-cache.ts'
import vectors from '../vectors/jwk.json' with { type: 'json' }
import { makeKey } from './signing.ts'

const good = vectors.filter((vector) => vector.output !== undefined)
const bad = vectors.filter((vector) => vector.refusal !== undefined)

describe('parsePublicJwk', () => {
  test.each(good)('$source -> its thumbprint', ({ input, output }) => {
    const jwk = parsePublicJwk(input)
    expect(isRefusal(jwk) ? jwk : jwkThumbprint(jwk)).toBe(output)
  })

  test.each(bad)('$source -> refused', ({ input, refusal }) => {
    expect(parsePublicJwk(input)).toMatchObject({ code: refusal })
  })

  test('there are as many vectors as were written', () => {
    expect([good.length, bad.length]).toEqual([5, 46])
  })

  test('returns the required members only', () => {
    const { jwk } = makeKey('ES256')
    expect(parsePublicJwk({ ...jwk, kid: 'a', use: 'sig', owner: 'x' })).toEqual(jwk)
  })

  test('every key that node:crypto makes is taken', () => {
    for (let i = 0; i < 50; i++)
      for (const alg of ['ES256', 'Ed25519'] as const) expect(makeKey(alg).jkt).toHaveLength(43)
  })

  test('members inherited from a prototype are not the key', () => {
    expect(isRefusal(parsePublicJwk(Object.create(makeKey().jwk)))).toBe(true)
  })

  test('garbage never throws and is always refused', () => {
    const half = fc.record({
      kty: fc.constantFrom('EC', 'OKP'),
      crv: fc.constantFrom('P-256', 'Ed25519'),
      x: fc.anything(),
      y: fc.anything(),
    })
    fc.assert(
      fc.property(fc.oneof(fc.anything(), half), (value) => {
        expect(parsePublicJwk(value)).toMatchObject({ code: 'key_invalid' })
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('readPublicJwk, which does not ask whether the point is on its curve', () => {
  const random32 = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString('base64url'))

  test('a P-256 point off the curve cannot be imported', () => {
    const keys = createKeyObjectCache()
    fc.assert(
      fc.property(random32, random32, (x, y) => {
        const jwk = readPublicJwk({ kty: 'EC', crv: 'P-256', x, y })
        expect(isRefusal(jwk) ? undefined : keys.get(jwk)).toBeUndefined()
      }),
    )
  })

  test('an Ed25519 point is taken by parsePublicJwk when, and only when, it is canonical and decodes', () => {
    fc.assert(
      fc.property(random32, (x) => {
        const parsed = parsePublicJwk({ kty: 'OKP', crv: 'Ed25519', x })
        // Half of all ordinates lie on the curve; the converse is shown by the keys node:crypto makes.
        if (!isRefusal(parsed)) return
        const read = readPublicJwk({ kty: 'OKP', crv: 'Ed25519', x })
        if (isRefusal(read)) return
        const key = createPublicKey({ key: { ...read }, format: 'jwk' })
        expect(verify(null, Buffer.from('m'), key, Buffer.alloc(64))).toBe(false)
      }),
    )
  })
})

describe('createKeyObjectCache', () => {
  const importing = (jwk: PublicJwk) => createPublicKey({ key: { ...jwk }, format: 'jwk' })

  test('gives the key of the coordinates, the same object again', () => {
    const [cache, key, other] = [createKeyObjectCache(), makeKey('ES256'), makeKey('Ed25519')]
    expect(cache.get(key.jwk)?.equals(importing(key.jwk))).toBe(true)
    expect(cache.get(other.jwk)?.equals(importing(other.jwk))).toBe(true)
    expect(cache.get(key.jwk)).toBe(cache.get({ ...key.jwk }))
  })

  test('gives up the least recently used first and holds no more than its bound', () => {
    const cache = createKeyObjectCache(2)
    const [a, b, c] = [makeKey('Ed25519'), makeKey('Ed25519'), makeKey('Ed25519')]
    const [firstA, firstB] = [cache.get(a.jwk), cache.get(b.jwk)]
    cache.get(a.jwk)
    cache.get(c.jwk)
    expect(cache.get(a.jwk)).toBe(firstA)
    expect(cache.get(b.jwk)).not.toBe(firstB)
  })

  test('a bound that is no positive integer is a fault', () => {
    for (const bound of [0, -1, 1.5, Number.NaN]) expect(() => createKeyObjectCache(bound)).toThrow(RangeError)
  })
})
