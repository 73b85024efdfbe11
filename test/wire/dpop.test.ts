import { createPrivateKey, createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { checkProof, type ProofExpectations, readProof } from '../../src/wire/dpop.ts'
import { sameTarget } from '../../src/wire/htu.ts'
import { createKeyObjectCache } from '../../src/wire/key-object-cache.ts'
import vectors from '../vectors/dpop.json' with { type: 'json' }
import { jwt, makeKey, proof, type TestKey } from './signing.ts'

/** One entry of the vectors: either a whole proof, or what a negative one changes of a right one. */
interface Vector {
  readonly source: string
  readonly input?: string
  readonly method?: string
  readonly htu?: string
  readonly now?: number
  readonly accessToken?: string
  readonly output?: Record<string, unknown>
  readonly refusal?: string
  readonly header?: Record<string, unknown>
  readonly addToJwk?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  readonly expectedKey?: string
  readonly nonce?: string
}
const positive = (vectors as readonly Vector[]).filter((vector) => vector.output !== undefined)
const negative = (vectors as readonly Vector[]).filter((vector) => vector.refusal !== undefined)

const keys = createKeyObjectCache()
const NOW = 1_562_262_616
const at = (seconds: number) => new Date(seconds * 1000)
const request = { method: 'POST', htu: 'https://rs.example/a', now: at(NOW) }
const expectations = (values: readonly string[], more: Partial<ProofExpectations> = {}): ProofExpectations => ({
  ...{ values, ...request, accessToken: undefined, isExpectedKey: undefined, isExpectedNonce: undefined },
  ...more,
})

/** The key of RFC 8037 A.1, so that the negative vectors are the same bytes every time. */
const RFC8037 = ((): TestKey => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const
  const d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'
  const privateKey = createPrivateKey({ key: { ...jwk, d }, format: 'jwk' })
  const jkt = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
  return { alg: 'EdDSA', privateKey, publicKey: createPublicKey(privateKey), jwk, jkt }
})()

/** Signs a header that claims another `alg` than the key's own, which signJws would not write. */
function misnamed(token: string, header: Record<string, unknown>): string {
  const [, ...rest] = token.split('.')
  return [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.')
}

function negativeProof(vector: Vector): string {
  const jwk = { ...RFC8037.jwk, ...vector.addToJwk }
  const header = dropNulls({ typ: 'dpop+jwt', jwk, alg: 'EdDSA', ...vector.header })
  const claims = dropNulls({ jti: 'j-1', htm: 'POST', htu: request.htu, iat: NOW, ...vector.claims })
  const token = jwt(RFC8037, header, claims)
  return vector.header?.alg === undefined ? token : misnamed(token, header)
}

/** `null` in a vector means that the member is absent. */
const dropNulls = (object: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))

describe('checkProof (RFC 9449 §4.3)', () => {
  test.each(positive)('$source -> accepted', ({ input = '', method = '', htu = '', now = 0, accessToken, output }) => {
    const checked = checkProof({ ...expectations([input]), method, htu, now: at(now), accessToken }, keys)
    expect(checked).toMatchObject(output ?? {})
  })

  test.each(negative)('$source -> $refusal', (vector) => {
    const expected = expectations([negativeProof(vector)], {
      accessToken: vector.accessToken,
      isExpectedKey: vector.expectedKey === undefined ? undefined : (jkt) => jkt === vector.expectedKey,
      isExpectedNonce: vector.nonce === undefined ? undefined : (nonce) => nonce === vector.nonce,
    })
    expect(checkProof(expected, keys)).toMatchObject({ code: vector.refusal })
  })

  test('the proof that the negative vectors change is accepted as it is', () => {
    expect(checkProof(expectations([negativeProof({ source: '' })]), keys)).toMatchObject({ jkt: RFC8037.jkt })
    expect([positive.length, negative.length]).toEqual([2, 56])
  })

  test.each(['ES256', 'Ed25519', 'EdDSA'] as const)('%s -> accepted, with all the caller needs', (alg) => {
    const key = makeKey(alg)
    const token = proof(key, { ...request, accessToken: 't' }, { jti: 'j', nonce: 'n' })
    const expected = {
      accessToken: 't',
      isExpectedKey: (jkt: string) => jkt === key.jkt,
      isExpectedNonce: (n: string) => n === 'n',
    }
    expect(checkProof(expectations([token], expected), keys)).toEqual({
      jkt: key.jkt,
      jti: 'j',
      iat: NOW,
      rememberUntil: NOW + 330,
      jwk: key.jwk,
      nonce: 'n',
    })
  })

  test.each([
    { iat: NOW - 301, accepted: false },
    { iat: NOW - 300, accepted: true },
    { iat: NOW + 300, accepted: true },
    { iat: NOW + 301, accepted: false },
  ])('iat $iat -> accepted: $accepted', ({ iat, accepted }) => {
    const checked = checkProof(expectations([proof(makeKey('Ed25519'), request, { iat })]), keys)
    expect(isRefusal(checked) ? checked.code : 'accepted').toBe(accepted ? 'accepted' : 'proof_stale')
  })

  test('jti of 256 characters -> accepted', () => {
    expect(isRefusal(checkProof(expectations([proof(RFC8037, request, { jti: 'j'.repeat(256) })]), keys))).toBe(false)
  })

  test('no header -> missing; two headers, the same one twice, two in one value -> malformed (step 1)', () => {
    const [one, two] = [proof(RFC8037, request), proof(RFC8037, request)]
    expect(checkProof(expectations([]), keys)).toMatchObject({ code: 'proof_missing' })
    for (const values of [[one, two], [one, one], [`${one}, ${two}`], [`${one},${one}`], ['']]) {
      expect(checkProof(expectations(values), keys)).toMatchObject({ code: 'proof_malformed' })
    }
  })

  test('8 kB and one byte -> malformed', () => {
    const padded = (length: number) => proof(RFC8037, request, { pad: 'p'.repeat(length) })
    expect(padded(5_000).length).toBeLessThan(8 * 1024)
    expect(isRefusal(checkProof(expectations([padded(5_000)]), keys))).toBe(false)
    expect(padded(6_200).length).toBeGreaterThan(8 * 1024)
    expect(checkProof(expectations([padded(6_200)]), keys)).toMatchObject({ code: 'proof_malformed' })
  })

  test('everything cheap is refused before a key is imported or a signature verified', () => {
    const untouchable = {
      get: () => {
        throw new Error('a key was imported')
      },
    }
    const cheap = negative.filter(({ source }) => !/another key than the one that signed/.test(source))
    for (const vector of cheap.filter(({ header }) => header?.alg !== 'ES256')) {
      const expected = expectations([negativeProof(vector)], {
        accessToken: vector.accessToken,
        isExpectedKey: vector.expectedKey === undefined ? undefined : () => false,
        isExpectedNonce: vector.nonce === undefined ? undefined : () => false,
      })
      expect(checkProof(expected, untouchable), vector.source).toMatchObject({ code: vector.refusal })
    }
  })

  test('a changed signature, or claims under another signature -> malformed', () => {
    const [one, two] = [proof(RFC8037, request).split('.'), proof(RFC8037, request).split('.')]
    for (const parts of [
      [one[0], one[1], two[2]],
      [one[0], two[1], one[2]],
    ]) {
      expect(checkProof(expectations([parts.join('.')]), keys)).toMatchObject({ code: 'proof_malformed' })
    }
  })

  test('garbage never throws and is always refused', () => {
    const header = fc.record({
      typ: fc.constant('dpop+jwt'),
      alg: fc.constantFrom('ES256', 'EdDSA'),
      jwk: fc.jsonValue(),
    })
    const token = fc.tuple(header, fc.jsonValue()).map(([h, c]) => jwt(RFC8037, h, c as Record<string, unknown>))
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), token), { maxLength: 3 }), (values) => {
        expect(isRefusal(checkProof(expectations(values), keys))).toBe(true)
        expect(isRefusal(readProof(values))).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('sameTarget (RFC 9449 §4.3 step 9)', () => {
  test.each([
    { claimed: 'https://rs.example/a', request: 'https://rs.example/a' },
    { claimed: 'HTTPS://RS.Example/a', request: 'https://rs.example/a' },
    { claimed: 'https://rs.example:443/a', request: 'https://rs.example/a' },
    { claimed: 'http://localhost:80/a', request: 'http://localhost/a' },
    { claimed: 'https://rs.example/a?x=1#y', request: 'https://rs.example/a' },
    { claimed: 'https://rs.example/a', request: 'https://rs.example/a?x=1' },
    { claimed: 'https://rs.example', request: 'https://rs.example/' },
    { claimed: 'https://rs.example/%7ea/%c3%a9', request: 'https://rs.example/~a/%C3%A9' },
    { claimed: 'http://[::1]:3000/token', request: 'http://[0:0::1]:3000/token' },
  ])('$claimed is $request', ({ claimed, request: here }) => expect(sameTarget(claimed, here)).toBe(true))

  test.each([
    { claimed: 'https://rs.example/%2Fa', request: 'https://rs.example//a' },
    { claimed: 'https://rs.example/a%3Fx', request: 'https://rs.example/a?x' },
    { claimed: 'https://rs.example/a/../b', request: 'https://rs.example/b' },
    { claimed: 'https://[::1/a', request: 'https://[::1/a' },
    { claimed: 'https://rs.exa\tmple/a', request: 'https://rs.example/a' },
    { claimed: 'https://rs.example\\/a', request: 'https://rs.example/a' },
    { claimed: 'https://rs.example/a#\n', request: 'https://rs.example/a' },
    { claimed: 'mailto:a@b', request: 'mailto:a@b' },
    { claimed: 'https://a@rs.example/', request: 'https://a@rs.example/' },
  ])('$claimed is not $request', ({ claimed, request: here }) => expect(sameTarget(claimed, here)).toBe(false))
})
