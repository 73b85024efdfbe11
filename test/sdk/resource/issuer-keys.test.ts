import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createIssuerKeys, IssuerUnavailableError } from '../../../src/sdk/resource/issuer-keys.ts'
import { isOrigin, isTransportSafe } from '../../../src/sdk/resource/transport.ts'
import { makeKey } from '../../wire/signing.ts'
import { publicEntry, startIssuer, type TestIssuer } from './issuer.ts'

let issuer: TestIssuer
let seconds: number
beforeEach(async () => {
  issuer = await startIssuer()
  seconds = 1_800_000_000
})
afterEach(() => issuer.close())

const now = () => new Date(seconds * 1000)
const make = () => createIssuerKeys(issuer.url, now)
/** Lets a fetch behind the requests come to its end. */
const settle = async (isDone: () => boolean) => {
  while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 20))
}
const find = async (keys: ReturnType<typeof make>, kid: string) => keys.find(kid)

describe('createIssuerKeys', () => {
  test('finds the key by metadata and jwks_uri, then answers without asking or waiting', async () => {
    const keys = make()
    expect(await find(keys, issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
    expect(keys.find(issuer.key.jkt)).not.toBeInstanceOf(Promise)
    expect(issuer.asked).toMatchObject({ metadata: 1, jwks: 1 })
  })

  test('many at once ask once', async () => {
    const keys = make()
    await Promise.all(Array.from({ length: 50 }, () => find(keys, issuer.key.jkt)))
    expect(issuer.asked).toMatchObject({ metadata: 1, jwks: 1 })
  })

  test('a storm of unknown kids asks once in 30 seconds', async () => {
    const keys = make()
    await find(keys, issuer.key.jkt)
    const storm = () => Promise.all(Array.from({ length: 200 }, (_, i) => find(keys, `unknown-${i}`)))
    expect(new Set(await storm())).toEqual(new Set([undefined]))
    seconds += 29
    await storm()
    expect(issuer.asked.jwks).toBe(1)
    seconds += 1
    await storm()
    await storm()
    expect(issuer.asked.jwks).toBe(2)
  })

  test('a new key is found once the cooldown is over, a withdrawn one is gone with the next fetch', async () => {
    const keys = make()
    const next = makeKey('Ed25519')
    await find(keys, issuer.key.jkt)
    issuer.published.keys = [publicEntry(next)]
    expect(await find(keys, next.jkt)).toBeUndefined()
    seconds += 30
    expect(await find(keys, next.jkt)).toMatchObject({ alg: 'Ed25519' })
    expect(await find(keys, issuer.key.jkt)).toBeUndefined()
  })

  test('after 300 seconds fetched again behind the requests: a withdrawn key ends', async () => {
    const keys = make()
    await find(keys, issuer.key.jkt)
    issuer.published.keys = [publicEntry(makeKey())]
    seconds += 300
    expect(keys.find(issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
    expect(issuer.asked.jwks).toBe(1)
    seconds += 1
    expect(keys.find(issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
    await settle(() => issuer.asked.jwks === 2)
    expect(await find(keys, issuer.key.jkt)).toBeUndefined()
  })

  test('the issuer down: known keys serve for an hour, then no longer; back again: they serve', async () => {
    const keys = make()
    await find(keys, issuer.key.jkt)
    issuer.published.isDown = true
    seconds += 3_600
    expect(await find(keys, issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
    await settle(() => issuer.asked.metadata === 2)
    seconds += 1
    await expect(find(keys, issuer.key.jkt)).rejects.toThrow(IssuerUnavailableError)
    issuer.published.isDown = false
    seconds += 5
    expect(await find(keys, issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
  })

  test('the issuer down from the start: a fault, and asked again only after 5 seconds', async () => {
    issuer.published.isDown = true
    const keys = make()
    for (let i = 0; i < 20; i++) await expect(find(keys, issuer.key.jkt)).rejects.toMatchObject({ status: 503 })
    expect(issuer.asked.metadata).toBe(1)
    issuer.published.isDown = false
    seconds += 5
    expect(await find(keys, issuer.key.jkt)).toMatchObject({ alg: 'ES256' })
  })

  test.each([
    {
      name: 'metadata of another issuer (RFC 8414 §3.3)',
      change: (i: TestIssuer) => ({ metadata: { ...i.published.metadata, issuer: 'https://evil.example' } }),
    },
    { name: 'metadata without jwks_uri', change: (i: TestIssuer) => ({ metadata: { issuer: i.url } }) },
    {
      name: 'jwks_uri over http to another host',
      change: (i: TestIssuer) => ({ metadata: { issuer: i.url, jwks_uri: 'http://192.0.2.1/jwks' } }),
    },
    {
      name: 'jwks_uri that is a file',
      change: (i: TestIssuer) => ({ metadata: { issuer: i.url, jwks_uri: 'file:///etc/passwd' } }),
    },
    {
      name: 'jwks_uri that redirects',
      change: (i: TestIssuer) => ({ metadata: { issuer: i.url, jwks_uri: `${i.url}/redirect` } }),
    },
    { name: 'a JWKS that is no JSON', change: () => ({ raw: '<html>' }) },
    { name: 'a JWKS with a duplicate member', change: () => ({ raw: '{"keys":[],"keys":[]}' }) },
    {
      name: 'a JWKS over 256 kB',
      change: (i: TestIssuer) => ({ raw: JSON.stringify({ pad: 'x'.repeat(257 * 1024), keys: [publicEntry(i.key)] }) }),
    },
    { name: 'an empty JWKS', change: () => ({ keys: [] }) },
    {
      name: 'only keys we do not use',
      change: () => ({
        keys: [
          { kty: 'RSA', kid: 'r', n: 'AQAB', e: 'AQAB' },
          { kty: 'oct', k: 'AAAA', kid: 's' },
        ],
      }),
    },
  ])('$name -> no keys', async ({ change }) => {
    Object.assign(issuer.published, change(issuer))
    await expect(find(make(), issuer.key.jkt)).rejects.toThrow(IssuerUnavailableError)
  })

  test('a jwks_uri over http to another host is not asked', async () => {
    issuer.published.metadata = { issuer: issuer.url, jwks_uri: `${issuer.url.replace('127.0.0.1', '0.0.0.0')}/jwks` }
    await expect(find(make(), issuer.key.jkt)).rejects.toThrow(IssuerUnavailableError)
    expect(issuer.asked).toMatchObject({ metadata: 1, jwks: 0 })
  })

  test('a JWKS that does not end is cut off at its limit', async () => {
    issuer.published.isEndless = true
    await expect(find(make(), issuer.key.jkt)).rejects.toThrow(IssuerUnavailableError)
    expect(issuer.asked.bytes).toBeLessThan(16 * 1024 * 1024)
  })

  test('while one fetch is under way no other is begun, however long it takes', async () => {
    issuer.published.delay = 100
    const keys = make()
    const first = find(keys, issuer.key.jkt)
    seconds += 60
    const all = await Promise.all([first, find(keys, issuer.key.jkt), find(keys, 'unknown')])
    expect(all.map((key) => key !== undefined)).toEqual([true, true, false])
    expect(issuer.asked).toMatchObject({ metadata: 1, jwks: 1 })
  })

  test('keys without kid, for encryption, private or of other kinds are left out; the others serve', async () => {
    const [good, unnamed, encryption, secret] = [makeKey(), makeKey(), makeKey(), makeKey()]
    issuer.published.keys = [
      { kty: 'RSA', kid: 'r', n: 'AQAB', e: 'AQAB' },
      { ...unnamed.jwk },
      { ...publicEntry(encryption), use: 'enc' },
      { ...publicEntry(secret), d: 'AAAA' },
      publicEntry(good),
    ]
    const keys = make()
    expect(await find(keys, good.jkt)).toBeDefined()
    for (const kid of ['r', encryption.jkt, secret.jkt, 'toString', '__proto__', ''])
      expect(await find(keys, kid)).toBeUndefined()
  })
})

test('isTransportSafe: https, or http on loopback', () => {
  for (const url of ['https://as.example/jwks', 'http://localhost:3000/', 'http://127.0.0.1/', 'http://[::1]:8080/']) {
    expect(isTransportSafe(url), url).toBe(true)
  }
  for (const url of [
    'http://as.example/',
    'http://localhost.evil.example/',
    'http://127.0.0.1.evil.example/',
    'https://u:p@as.example/',
    'ftp://localhost/',
    'as.example',
    '',
  ]) {
    expect(isTransportSafe(url), url).toBe(false)
  }
})

test('isOrigin: nothing behind the port', () => {
  for (const text of ['https://as.example', 'http://localhost:3000']) expect(isOrigin(text), text).toBe(true)
  for (const text of [
    'https://as.example/',
    'https://as.example/a',
    'https://AS.example',
    'https://as.example:443',
    'https://as.example?x',
    'http://as.example',
    'null',
    '',
  ]) {
    expect(isOrigin(text), text).toBe(false)
  }
})
