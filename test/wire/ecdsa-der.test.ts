import { generateKeyPairSync, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { derSignature } from '../../src/wire/ecdsa-der.ts'

describe('derSignature', () => {
  test.each([
    ['small numbers lose their zeros', `${'00'.repeat(31)}01${'00'.repeat(31)}7f`, '300602010102017f'],
    ['a top bit gets a zero before it', `${'00'.repeat(31)}80${'00'.repeat(30)}8000`, '3009020200800203008000'],
    ['nothing but zeros is the number 0', '00'.repeat(64), '3006020100020100'],
    ['the largest', 'ff'.repeat(64), `3046022100${'ff'.repeat(32)}022100${'ff'.repeat(32)}`],
  ])('%s', (_, from, to) => {
    expect(Buffer.from(derSignature(Buffer.from(from, 'hex')) ?? []).toString('hex')).toBe(to)
  })

  test.each([0, 1, 63, 65, 70, 128])('%d bytes are no signature', (length) => {
    expect(derSignature(new Uint8Array(length))).toBeUndefined()
  })

  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const p1363 = { key: pair.publicKey, dsaEncoding: 'ieee-p1363' } as const

  test('OpenSSL says of it what it says of r and s, right or with any byte changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(63), fc.nat(255), (message, at, flip) => {
        const signature = sign('sha256', message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
        signature[at] = (signature[at] as number) ^ flip
        const isRight = verify('sha256', message, p1363, signature)
        expect(isRight).toBe(flip === 0)
        expect(verify('sha256', message, pair.publicKey, derSignature(signature) ?? Buffer.alloc(0))).toBe(isRight)
      }),
      { numRuns: 300 },
    )
  })

  test('bytes that are no signature of anything', () => {
    const edge = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)
    fc.assert(
      fc.property(fc.array(edge, { minLength: 64, maxLength: 64 }), (bytes) => {
        const signature = Uint8Array.from(bytes)
        expect(verify('sha256', Buffer.from('x'), pair.publicKey, derSignature(signature) ?? Buffer.alloc(0))).toBe(
          verify('sha256', Buffer.from('x'), p1363, signature),
        )
      }),
      { numRuns: 300 },
    )
  })
})
