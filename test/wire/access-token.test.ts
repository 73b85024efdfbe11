import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { buildAccessToken, verifyAccessToken } from '../../src/wire/access-token.ts'
import type { TokenUse } from '../../src/wire/access-token-claims.ts'
import { jwt, makeKey } from './signing.ts'

const NOW = 1_800_000_000
const ISSUER = 'https://as.example'
const key = makeKey('ES256')
const signer = { kid: key.jkt, alg: key.alg, key: key.privateKey }
const common = { iss: ISSUER, sub: 'alice', client_id: 'planner', jti: 't-1', iat: NOW, exp: NOW + 60 }
const cnf = { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }

const RIGHT = {
  action: {
    ...common,
    ...{ aud: 'https://mail.example', cnf, act: { iss: ISSUER, sub: 'planner', sub_profile: 'ai_agent' } },
    ...{ authorization_details: [{ type: 'email_send', to: ['b@c.example'] }], delegation_id: 'd-1', txn: 'x-1' },
  },
  agent: { ...common, aud: ISSUER, sub: 'planner', token_use: 'agent', cnf },
  resource: { ...common, aud: ISSUER, sub: 'mail', token_use: 'resource', cnf },
  subject: { ...common, aud: ISSUER, token_use: 'subject', may_act: { sub: 'planner' } },
  admin: { ...common, aud: ISSUER, sub: 'admin', token_use: 'admin', cnf, scope: 'admin' },
} as const
const USES = Object.keys(RIGHT) as TokenUse[]
const AUDIENCE = { action: 'https://mail.example', agent: ISSUER, resource: ISSUER, subject: ISSUER, admin: ISSUER }

interface Change {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, unknown>
  readonly nowSeconds?: number
  readonly skewSeconds?: number
}

/** A code, or `accepted`. */
function outcome(use: TokenUse, as: TokenUse, { claims, header, nowSeconds = NOW, skewSeconds }: Change = {}): string {
  const token = jwt(key, { typ: 'at+jwt', kid: key.jkt, ...header }, { ...RIGHT[use], ...claims })
  const verified = verifyAccessToken(token, {
    ...{ use: as, issuer: ISSUER, audience: AUDIENCE[as], now: new Date(nowSeconds * 1000) },
    ...(skewSeconds !== undefined && { skewSeconds }),
    keys: (kid) => (kid === key.jkt ? { alg: 'ES256', key: key.publicKey } : undefined),
  })
  return isRefusal(verified) ? verified.code : 'accepted'
}

describe('verifyAccessToken (RFC 9068 §4)', () => {
  test.each(USES.flatMap((use) => USES.map((as) => ({ use, as }))))('a token for $use as $as', ({ use, as }) => {
    expect(outcome(use, as)).toBe(use === as ? 'accepted' : 'token_invalid')
  })

  test('what is built is verified, and read back whole', () => {
    const token = buildAccessToken(RIGHT.action as never, signer)
    const claims = verifyAccessToken(token, {
      ...{ use: 'action', issuer: ISSUER, audience: 'https://mail.example', now: new Date(NOW * 1000) },
      keys: () => ({ alg: 'ES256', key: key.publicKey }),
    })
    expect(claims).toEqual(RIGHT.action)
    expect(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())).toEqual({
      ...{ alg: 'ES256', typ: 'at+jwt', kid: key.jkt },
    })
  })

  test.each([
    { name: 'exp 1 second ago, no skew', claims: { exp: NOW - 1 }, skewSeconds: 0, code: 'token_expired' },
    { name: 'exp now, no skew (RFC 7519 §4.1.4)', claims: { exp: NOW }, skewSeconds: 0, code: 'token_expired' },
    { name: 'exp in 1 second, no skew', claims: { exp: NOW + 1 }, skewSeconds: 0, code: 'accepted' },
    { name: 'exp 5 seconds ago', claims: { exp: NOW - 5 }, code: 'token_expired' },
    { name: 'exp 4 seconds ago', claims: { exp: NOW - 4 }, code: 'accepted' },
    { name: 'iat in 5 seconds', claims: { iat: NOW + 5 }, code: 'accepted' },
    { name: 'iat in 6 seconds', claims: { iat: NOW + 6 }, code: 'token_invalid' },
    { name: 'nbf in 5 seconds', claims: { nbf: NOW + 5 }, code: 'accepted' },
    { name: 'nbf in 6 seconds', claims: { nbf: NOW + 6 }, code: 'token_invalid' },
    { name: 'typ application/at+jwt', header: { typ: 'application/at+jwt' }, code: 'accepted' },
    { name: 'a claim that we do not know', claims: { extra: 1 }, code: 'accepted' },
    {
      name: 'a chain of actors',
      claims: { act: { sub: 'c', act: { sub: 'b', act: { sub: 'a' } } } },
      code: 'accepted',
    },
  ])('$name -> $code', ({ code, ...change }) => expect(outcome('action', 'action', change)).toBe(code))

  test.each([
    { name: 'typ JWT', header: { typ: 'JWT' } },
    { name: 'typ absent', header: { typ: undefined } },
    { name: 'typ dpop+jwt', header: { typ: 'dpop+jwt' } },
    { name: 'kid absent', header: { kid: undefined } },
    { name: 'kid unknown', header: { kid: 'other' } },
    { name: 'crit', header: { crit: ['exp'] } },
    { name: 'iss of another issuer', claims: { iss: 'https://as.example/' } },
    { name: 'aud of another resource', claims: { aud: 'https://files.example' } },
    { name: 'aud a list of this resource', claims: { aud: ['https://mail.example'] } },
    { name: 'aud the issuer', claims: { aud: ISSUER } },
    { name: 'token_use agent', claims: { token_use: 'agent' } },
    { name: 'token_use action', claims: { token_use: 'action' } },
    { name: 'token_use null', claims: { token_use: null } },
    { name: 'two actions', claims: { authorization_details: [{ type: 'a' }, { type: 'b' }] } },
    { name: 'no action', claims: { authorization_details: [] } },
    { name: 'an action without a type', claims: { authorization_details: [{}] } },
    { name: 'an action that is an array', claims: { authorization_details: [[]] } },
    { name: 'exp a string', claims: { exp: '9999999999' } },
    { name: 'exp negative', claims: { exp: -1 } },
    { name: 'cnf with another confirmation', claims: { cnf: { 'x5t#S256': 'a' } } },
    { name: 'cnf.jkt no thumbprint', claims: { cnf: { jkt: 'a' } } },
    { name: 'act a string', claims: { act: 'planner' } },
    { name: 'a broken inner actor', claims: { act: { sub: 'c', act: { sub: 1 } } } },
    { name: 'turn with a space', claims: { turn: 'a b' } },
    ...['iss', 'aud', 'sub', 'client_id', 'jti', 'iat', 'exp', 'cnf', 'act', 'authorization_details'].map((claim) => ({
      ...{ name: `${claim} absent`, claims: { [claim]: undefined } },
    })),
    ...['delegation_id', 'txn'].map((claim) => ({ name: `${claim} absent`, claims: { [claim]: undefined } })),
  ])('$name -> token_invalid', (change) => expect(outcome('action', 'action', change)).toBe('token_invalid'))

  test.each([
    { use: 'agent', claim: 'cnf' },
    { use: 'admin', claim: 'cnf' },
    { use: 'admin', claim: 'scope' },
    { use: 'subject', claim: 'may_act' },
  ] as const)('a token for $use without $claim -> token_invalid', ({ use, claim }) => {
    expect(outcome(use, use, { claims: { [claim]: undefined } })).toBe('token_invalid')
  })

  test('a token for the issuer itself is no action token even where the resource is configured to be the issuer', () => {
    const token = jwt(key, { typ: 'at+jwt', kid: key.jkt }, { ...RIGHT.action, aud: ISSUER })
    const now = new Date(NOW * 1000)
    const keys = () => ({ alg: 'ES256', key: key.publicKey }) as const
    expect(verifyAccessToken(token, { use: 'action', issuer: ISSUER, audience: ISSUER, now, keys })).toMatchObject({
      code: 'token_invalid',
    })
  })

  test('signed by another key under a known kid -> token_invalid', () => {
    const token = jwt(makeKey('ES256'), { typ: 'at+jwt', kid: key.jkt }, RIGHT.action)
    const now = new Date(NOW * 1000)
    const expected = { use: 'action', issuer: ISSUER, audience: 'https://mail.example', now } as const
    const keys = () => ({ alg: 'ES256', key: key.publicKey }) as const
    expect(verifyAccessToken(token, { ...expected, keys })).toMatchObject({ code: 'token_invalid' })
  })

  test('garbage never throws and is always refused', () => {
    const change = fc.dictionary(fc.constantFrom(...Object.keys(RIGHT.action)), fc.jsonValue(), { minKeys: 1 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          change.map((c) => jwt(key, { typ: 'at+jwt', kid: 'x' }, { ...RIGHT.action, ...c })),
        ),
        (token) => {
          for (const use of USES) {
            const expected = { use, issuer: ISSUER, audience: AUDIENCE[use], now: new Date(NOW * 1000) }
            expect(isRefusal(verifyAccessToken(token, { ...expected, keys: () => undefined }))).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
