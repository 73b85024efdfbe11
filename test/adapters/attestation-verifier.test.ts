import { expect, test } from 'vitest'
import { attestationVerifier } from '../../src/adapters/clients/attestations.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import type { VerificationKey } from '../../src/wire/access-token.ts'
import { signClientAttestation } from '../../src/wire/client-attestation.ts'
import { jwt, makeKey } from '../wire/signing.ts'

const ISSUER = 'https://as.example'
const NOW = new Date('2030-01-01T00:00:00Z')
const IAT = NOW.getTime() / 1_000

const signer = makeKey()
const signed = (claims: object = {}) =>
  signClientAttestation(
    JSON.stringify({
      ...{ iss: ISSUER, sub: 'planner', cnf: { jwk: makeKey().jwk }, jti: Math.random().toString(36) },
      ...{ iat: IAT, exp: IAT + 600, ...claims },
    }),
    { kid: signer.jkt, alg: signer.alg, key: signer.privateKey },
  )

/** A verifier that says how often it had to verify: each time it asks when the database was restored. */
function verifier(remembered: number, restoredAt?: Date) {
  const keys = new Map<string, VerificationKey>([[signer.jkt, { alg: signer.alg, key: signer.publicKey }]])
  let verified = 0
  const { verify } = attestationVerifier({
    ...{ issuer: ISSUER, remembered, keys: { verificationKey: (kid) => keys.get(kid) } },
    restoredAt: async () => {
      verified++
      return restoredAt
    },
  })
  return { verify, keys, verifications: () => verified }
}

test('what was verified is known by its digest, as many as are remembered', async () => {
  const { verify, verifications } = verifier(2)
  const [a, b, c] = [signed(), signed(), signed()]
  for (const jwt of [a, a, b, a, b]) expect(isRefusal(await verify(jwt, NOW))).toBe(false)
  expect(verifications()).toBe(2)
  await verify(c, NOW)
  await verify(b, NOW)
  expect(verifications()).toBe(3)
  await verify(a, NOW)
  expect(verifications()).toBe(4)
})

test('what was not verified is never remembered, and pushes nothing out', async () => {
  const { verify, verifications } = verifier(1)
  const good = signed()
  await verify(good, NOW)
  for (let i = 0; i < 10; i++) {
    const forged = `${signed().split('.').slice(0, 2).join('.')}.${good.split('.')[2]}`
    expect(await verify(forged, NOW)).toMatchObject({ code: 'attestation_invalid' })
  }
  await verify(good, NOW)
  expect(verifications()).toBe(1)
})

test('a remembered one ends when it says, and with the key that signed it', async () => {
  const { verify, keys } = verifier(10)
  const token = signed()
  const at = (seconds: number) => verify(token, new Date((IAT + seconds) * 1_000))
  expect(await at(0)).toMatchObject({ clientId: 'planner', iat: IAT, exp: IAT + 600 })
  expect(isRefusal(await at(599.999))).toBe(false)
  expect(await at(600)).toMatchObject({ code: 'attestation_expired' })
  expect(await at(601)).toMatchObject({ code: 'attestation_expired' })
  // The clock of another process may be ahead by little.
  expect(isRefusal(await at(-5))).toBe(false)
  expect(await at(-6)).toMatchObject({ code: 'attestation_invalid' })
  keys.clear()
  expect(await at(0)).toMatchObject({ code: 'attestation_invalid' })
})

test.each([
  { name: 'before the restore', restored: IAT + 1, isGood: false },
  { name: 'in its very second', restored: IAT, isGood: false },
  { name: 'after it', restored: IAT - 0.001, isGood: true },
])('one that was issued $name', async ({ restored, isGood }) => {
  const { verify } = verifier(10, new Date(restored * 1_000))
  const outcome = await verify(signed(), NOW)
  expect(isRefusal(outcome) ? outcome.code : 'good').toBe(isGood ? 'good' : 'attestation_expired')
})
test.each(['JWT', 'at+jwt', 'secevent+jwt', 'token-introspection+jwt', 'oauth-client-attestation-pop+jwt', undefined])(
  'one that we signed as %s is none',
  async (typ) => {
    const { verify } = verifier(10)
    const [, payload = ''] = signed().split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const header = { ...(typ !== undefined && { typ }), kid: signer.jkt }
    expect(await verify(jwt(signer, header, claims), NOW)).toMatchObject({ code: 'attestation_invalid' })
    expect(isRefusal(await verify(jwt(signer, { ...header, typ: 'oauth-client-attestation+jwt' }, claims), NOW))).toBe(
      false,
    )
  },
)

test.each([
  ['iss', { iss: 'https://other.example' }],
  ['iss', { iss: undefined }],
  ['sub', { sub: 7 }],
  ['sub', { sub: '' }],
  ['cnf', { cnf: undefined }],
  ['cnf', { cnf: { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } } }],
  ['cnf', { cnf: { jwk: { kty: 'oct', k: 'AAAA' } } }],
  ['iat', { iat: undefined }],
  ['exp', { exp: 'later' }],
  ['exp', { exp: IAT }],
] as const)('one of ours with a wrong "%s" is refused (%#)', async (_, claims) => {
  const { verify, verifications } = verifier(10)
  expect(await verify(signed(claims), NOW)).toMatchObject({ code: 'attestation_invalid' })
  expect(verifications()).toBe(0)
})
