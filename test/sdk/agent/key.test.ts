import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createAgent, createKey, exportKey, importKey, thumbprint } from '../../../src/sdk/agent/index.ts'
import { makeKey } from '../../wire/signing.ts'

const ALGORITHMS = ['ES256', 'Ed25519'] as const

describe.each(ALGORITHMS)('a key for %s', (alg) => {
  test('signs what node:crypto verifies by the public part', async () => {
    const key = await createKey({ alg })
    const data = new TextEncoder().encode('what is signed')
    const signature = await key.sign(data)
    expect([key.alg, signature.length]).toEqual([alg, 64])
    const publicKey = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })
    const digest = alg === 'ES256' ? 'sha256' : null
    expect(verify(digest, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
  })

  test('is not extractable unless that was asked for', async () => {
    await expect(exportKey(await createKey({ alg }))).rejects.toThrow('createKey({ extractable: true })')
    const key = await createKey({ alg, extractable: true })
    const jwk = await exportKey(key)
    expect(Object.keys(jwk).sort()).toEqual(alg === 'ES256' ? ['crv', 'd', 'kty', 'x', 'y'] : ['crv', 'd', 'kty', 'x'])
    const again = await importKey(jwk)
    expect([again.kid, again.publicJwk]).toEqual([key.kid, key.publicJwk])
    await expect(exportKey(again)).rejects.toThrow(TypeError)
  })

  test('its kid is the thumbprint the server computes', async () => {
    const { jwk, jkt, privateKey } = makeKey(alg)
    expect(await thumbprint(jwk)).toBe(jkt)
    expect((await importKey(privateKey.export({ format: 'jwk' }))).kid).toBe(jkt)
  })

  test('shows its private part in no way of printing', async () => {
    const key = await createKey({ alg, extractable: true })
    const { d } = await exportKey(key)
    expect(inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key)).not.toContain(d)
  })

  test('halves that do not belong together are refused', async () => {
    const [one, two] = [makeKey(alg), makeKey(alg)].map((key) => key.privateKey.export({ format: 'jwk' }))
    await expect(importKey({ ...two, d: one?.d })).rejects.toThrow('do not belong together')
  })
})

test('the thumbprint of RFC 8037 appendix A.3', async () => {
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
  expect(await thumbprint({ kty: 'OKP', crv: 'Ed25519', x })).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})

describe('what is no private key', () => {
  const p256 = makeKey().privateKey.export({ format: 'jwk' })
  test.each<[string, unknown]>([
    ['null', null],
    ['a text', JSON.stringify(p256)],
    ['a public key', makeKey().jwk],
    ['an RSA key', generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'jwk' })],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' })],
    ['a coordinate with padding', { ...p256, x: `${p256.x}=` }],
    ['a short private part', { ...p256, d: 'AAAA' }],
    ['a point off the curve', { ...p256, y: p256.x }],
  ])('%s is refused, and the message does not quote it', async (_name, jwk) => {
    const error = await importKey(jwk).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(inspect(error)).not.toContain(String(p256.d))
  })
})

describe('a signer of the developer', () => {
  const { jwk } = makeKey()
  const sign = async () => new Uint8Array(64)
  test.each<[string, object, string]>([
    ['without sign', { alg: 'ES256', publicJwk: jwk }, 'signer'],
    ['with another algorithm than its key', { alg: 'Ed25519', publicJwk: jwk, sign }, 'ES256'],
    ['with the private member', { alg: 'ES256', publicJwk: { ...jwk, d: 'x' }, sign }, 'private member'],
    ['with an RSA key', { alg: 'RS256', publicJwk: { kty: 'RSA', n: 'x', e: 'AQAB' }, sign }, 'P-256 or Ed25519'],
  ])('%s is refused at once', (_name, key, message) => {
    expect(() => createAgent({ issuer: 'https://as.example', id: 'planner', key: key as never })).toThrow(message)
  })
})
