import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import type { SignatureAlgorithm } from '../../src/wire/algorithms.ts'
import { type ParsedJws, parseCompactJws, signJws, verifyJws } from '../../src/wire/jws.ts'
import vectors from '../vectors/jws.json' with { type: 'json' }
import { jwt, makeKey } from './signing.ts'

const MAX = 8_192
const positive = vectors.filter((vector) => vector.output !== undefined)
const negative = vectors.filter((vector) => vector.refusal !== undefined)

function parsed(token: string): ParsedJws {
  const jws = parseCompactJws(token, MAX)
  if (isRefusal(jws)) throw new Error(jws.detail)
  return jws
}

describe('parseCompactJws', () => {
  test.each(positive)('$source -> header and claims, and it verifies', ({ input, output, jwk, alg }) => {
    const key = createPublicKey({ key: jwk ?? {}, format: 'jwk' })
    expect(parsed(input).payload).toEqual(output)
    expect(verifyJws(parsed(input), key, alg as SignatureAlgorithm)).toBe(true)
  })

  test.each(negative)('$source -> refused', ({ input, refusal }) => {
    expect(parseCompactJws(input, MAX)).toMatchObject({ code: refusal })
  })

  test('there are as many vectors as were written', () => {
    expect([positive.length, negative.length]).toEqual([1, 29])
  })

  test('one character over the limit -> refused', () => {
    const token = jwt(makeKey(), {}, { a: 1 })
    expect(isRefusal(parseCompactJws(token, token.length))).toBe(false)
    expect(parseCompactJws(token, token.length - 1)).toMatchObject({ code: 'token_invalid' })
  })

  test('jku, x5u and x5c in a header are carried along and change nothing', () => {
    const [key, other] = [makeKey(), makeKey()]
    const token = jwt(
      key,
      { jku: 'https://evil.example', x5u: 'https://evil.example', x5c: ['AAAA'], jwk: other.jwk },
      {},
    )
    expect(verifyJws(parsed(token), key.publicKey, 'ES256')).toBe(true)
    expect(verifyJws(parsed(token), other.publicKey, 'ES256')).toBe(false)
  })

  test('garbage never throws and is always refused', () => {
    const segment = fc.oneof(
      fc.base64String(),
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    )
    const token = fc.array(segment, { maxLength: 5 }).map((segments) => segments.join('.'))
    fc.assert(
      fc.property(fc.oneof(fc.string(), token), (text) => {
        const jws = parseCompactJws(text, MAX)
        // A random object header and payload may parse; what is returned must then be objects.
        if (isRefusal(jws)) expect(jws.code).toBe('token_invalid')
        else expect([typeof jws.header, typeof jws.payload]).toEqual(['object', 'object'])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('verifyJws', () => {
  const [ec, ed] = [makeKey('ES256'), makeKey('Ed25519')]

  test('RFC 8037 A.4 verifies and is reproduced byte by byte', () => {
    const vector = vectors.find(({ source }) => source.startsWith('RFC 8037 A.4'))!
    const [header = '', payload = '', signature = ''] = vector.input.split('.')
    const jws: ParsedJws = {
      header: { alg: 'EdDSA' },
      payload: {},
      signingInput: `${header}.${payload}`,
      signature: Buffer.from(signature, 'base64url'),
    }
    const key = createPrivateKey({ key: { ...vector.jwk, d: vector.privateD ?? '' }, format: 'jwk' })
    expect(verifyJws(jws, createPublicKey(key), 'EdDSA')).toBe(true)
    expect(signJws({}, 'Example of Ed25519 signing', key, 'EdDSA')).toBe(vector.input)
  })

  test.each([
    { name: 'ES256', key: ec, header: 'ES256', alg: 'ES256', verifies: true },
    { name: 'Ed25519', key: ed, header: 'Ed25519', alg: 'Ed25519', verifies: true },
    { name: 'EdDSA in the header, Ed25519 registered', key: ed, header: 'EdDSA', alg: 'Ed25519', verifies: true },
    { name: 'Ed25519 in the header, EdDSA registered', key: ed, header: 'Ed25519', alg: 'EdDSA', verifies: true },
    { name: 'header says the other algorithm', key: ec, header: 'EdDSA', alg: 'ES256', verifies: false },
    { name: 'caller says the other algorithm', key: ec, header: 'ES256', alg: 'EdDSA', verifies: false },
    { name: 'both say an algorithm that the key is not of', key: ed, header: 'ES256', alg: 'ES256', verifies: false },
    { name: 'both say EdDSA of a P-256 key', key: ec, header: 'EdDSA', alg: 'EdDSA', verifies: false },
    { name: 'none', key: ec, header: 'none', alg: 'ES256', verifies: false },
    { name: 'es256 in lower case', key: ec, header: 'es256', alg: 'ES256', verifies: false },
    { name: 'ES256K', key: ec, header: 'ES256K', alg: 'ES256', verifies: false },
    { name: 'toString', key: ec, header: 'toString', alg: 'ES256', verifies: false },
  ] as const)('$name -> $verifies', ({ key, header, alg, verifies }) => {
    const input = `${Buffer.from(JSON.stringify({ alg: header })).toString('base64url')}.e30`
    const signature = sign(key.alg === 'ES256' ? 'sha256' : null, Buffer.from(input), {
      key: key.privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    expect(verifyJws(parsed(`${input}.${signature.toString('base64url')}`), key.publicKey, alg)).toBe(verifies)
  })

  test('an HMAC with the public key as its secret -> false (RFC 8725 §2.1)', () => {
    const input = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.e30`
    const secret = ec.publicKey.export({ format: 'pem', type: 'spki' })
    const mac = createHmac('sha256', secret).update(input).digest('base64url')
    expect(verifyJws(parsed(`${input}.${mac}`), ec.publicKey, 'ES256')).toBe(false)
  })

  test('a DER signature, one of all zeros, one byte short or long -> false', () => {
    const input = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30`
    const der = sign('sha256', Buffer.from(input), ec.privateKey)
    const raw = sign('sha256', Buffer.from(input), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
    for (const signature of [der, Buffer.alloc(64), raw.subarray(1), Buffer.concat([raw, Buffer.alloc(1)])]) {
      expect(verifyJws(parsed(`${input}.${signature.toString('base64url')}`), ec.publicKey, 'ES256')).toBe(false)
    }
    expect(verifyJws(parsed(`${input}.${raw.toString('base64url')}`), ec.publicKey, 'ES256')).toBe(true)
  })

  test('another curve of the same type -> false', () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    expect(verifyJws(parsed(jwt(ec, {}, {})), p384.publicKey, 'ES256')).toBe(false)
    expect(() => signJws({}, '{}', p384.privateKey, 'ES256')).toThrow(TypeError)
  })

  test('any one changed character of a token -> refused or false', () => {
    const token = jwt(ed, { kid: 'k' }, { iss: 'joe', n: 1 })
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.'), (at, character) => {
        fc.pre(token[at] !== character)
        const jws = parseCompactJws(token.slice(0, at) + character + token.slice(at + 1), MAX)
        expect(isRefusal(jws) || !verifyJws(jws, ed.publicKey, 'Ed25519')).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

test('signJws writes its own alg over one in the header', () => {
  const key = makeKey('ES256')
  expect(parsed(signJws({ alg: 'none' }, '{}', key.privateKey, 'ES256')).header).toEqual({ alg: 'ES256' })
})
