import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { checkProof } from '../../src/wire/dpop.ts'
import { createKeyObjectCache } from '../../src/wire/key-object-cache.ts'
import { createSeenHeaders } from '../../src/wire/seen-headers.ts'
import { makeKey, proof } from './signing.ts'

describe('createSeenHeaders', () => {
  test('finds what was added, by the exact text', () => {
    const headers = createSeenHeaders<number>()
    headers.add('abc', 1)
    expect([headers.get('abc'), headers.get('abC'), headers.get('ab')]).toEqual([1, undefined, undefined])
  })

  test('never more than two generations; what is in use stays', () => {
    const headers = createSeenHeaders<number>(10)
    headers.add('used', -1)
    for (let i = 0; i < 1_000; i++) {
      headers.add(`h${i}`, i)
      expect(headers.get('used')).toBe(-1)
    }
    const kept = Array.from({ length: 1_000 }, (_, i) => headers.get(`h${i}`)).filter((found) => found !== undefined)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThanOrEqual(20)
  })

  test('bounded in characters, too: one that is longer than all may be is not kept', () => {
    const headers = createSeenHeaders<number>(100, 50)
    for (let i = 0; i < 100; i++) headers.add(`${i}`.padEnd(20, 'x'), i)
    const kept = Array.from({ length: 100 }, (_, i) => headers.get(`${i}`.padEnd(20, 'x'))).filter(
      (n) => n !== undefined,
    )
    expect(kept.length).toBeLessThanOrEqual(4)
    headers.add('y'.repeat(51), 1)
    expect(headers.get('y'.repeat(51))).toBeUndefined()
  })

  test('keeps the segment and not the token that it was cut from', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const headers = createSeenHeaders<number>()
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 200; i++) headers.add(`${`segment-${i}`.padEnd(40, 'x')}${'y'.repeat(100_000)}`.slice(0, 40), i)
    collect()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000)
  })
})

describe('a header that was seen', () => {
  const now = new Date(1_800_000_000_000)
  const request = { method: 'POST', htu: 'https://rs.example/a', now }
  const expected = { method: 'POST', htu: request.htu, now, accessToken: undefined, isExpectedNonce: undefined }
  const check = (value: string, isExpectedKey: (jkt: string) => boolean = () => true) => {
    const checked = checkProof({ ...expected, values: [value], isExpectedKey }, createKeyObjectCache())
    return isRefusal(checked) ? checked.code : checked.jkt
  }

  test('spares nothing of what is checked: key, claims and signature, every time', () => {
    const [key, other] = [makeKey(), makeKey()]
    for (let i = 0; i < 3; i++) {
      expect(check(proof(key, request))).toBe(key.jkt)
      expect(check(proof(key, request), (jkt) => jkt === other.jkt)).toBe('proof_key_mismatch')
      expect(check(proof(key, request, { htm: 'GET' }))).toBe('proof_wrong_target')
      const [header, payload] = proof(key, request).split('.')
      expect(check(`${header}.${payload}.${proof(key, request).split('.')[2]}`)).toBe('proof_malformed')
      expect(check(`${header}.${proof(other, request).split('.').slice(1).join('.')}`)).toBe('proof_malformed')
      expect(check(proof(other, request, {}, { jwk: key.jwk }))).toBe('proof_malformed')
    }
  })

  test('of another kind is not taken for it: an access token has its own', () => {
    const key = makeKey()
    expect(check(proof(key, request))).toBe(key.jkt)
    expect(check(proof(key, request, {}, { typ: 'at+jwt' }))).toBe('proof_malformed')
  })

  test('is kept without what nobody reads of it: a stranger with a key of his own may write what he likes into one', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const key = makeKey()
    const padding = Array.from({ length: 1_900 }, () => ({}))
    const fill = (count: number) => {
      for (let i = 0; i < count; i++) expect(check(proof(key, request, {}, { padding, kid: `${i}` }))).toBe(key.jkt)
      collect()
      return process.memoryUsage().heapUsed
    }
    const before = fill(1)
    expect(fill(500) - before).toBeLessThan(15_000_000)
  })
})
