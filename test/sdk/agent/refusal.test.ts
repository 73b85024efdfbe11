import { describe, expect, test } from 'vitest'
import { explainRefusal, isWritRefusal, refusalOf } from '../../../src/sdk/agent/index.ts'
import { refusal } from '../../../src/sdk/agent/refusal.ts'
import type { Door } from '../../../src/sdk/agent/refusal-kind.ts'
import { describeRefusal } from '../../../src/wire/error-description.ts'
import { dpopChallenge } from '../../../src/wire/www-authenticate.ts'

const response = (status: number, ...challenges: string[]) => {
  const headers = new Headers()
  for (const challenge of challenges) headers.append('www-authenticate', challenge)
  return new Response(null, { status, headers })
}

describe('the kind of a refusal', () => {
  test.each<[Door, string, string]>([
    ['token', 'access_denied', 'not_permitted'],
    ['token', 'authorization_pending', 'approval_needed'],
    ['token', 'invalid_authorization_details', 'action_invalid'],
    ['token', 'invalid_target', 'wrong_resource'],
    ['token', 'invalid_grant', 'delegation_ended'],
    ['enrolment', 'invalid_grant', 'code_unusable'],
    ['token', 'invalid_client', 'not_authenticated'],
    ['delegations', 'invalid_token', 'not_authenticated'],
    ['resource', 'invalid_token', 'token_refused'],
    ['resource', 'insufficient_authorization_details', 'other_action'],
    ['token', 'invalid_dpop_proof', 'proof_refused'],
    ['enrolment', 'invalid_dpop_proof', 'proof_refused'],
    ['resource', 'use_dpop_nonce', 'nonce_refused'],
    ['token', 'slow_down', 'slow_down'],
    ['token', 'invalid_request', 'request_refused'],
    ['token', 'unsupported_grant_type', 'request_refused'],
    ['token', 'unauthorized_client', 'request_refused'],
    ['token', 'invalid_scope', 'request_refused'],
    ['token', 'constructor', 'unknown'],
    ['token', 'insufficient_authorization_details', 'unknown'],
    ['resource', 'access_denied', 'unknown'],
  ])('%s: %s is %s', (door, error, kind) => {
    const said = refusal(door, { status: 400, error })
    expect([said.kind, said.error, said.advice.length > 20]).toEqual([kind, error, true])
  })
})

describe('the member', () => {
  test.each([
    ['to[0]', 'to[0]'],
    ['instructedAmount.amount', 'instructedAmount.amount'],
    ['arguments.say "hi" ñ', 'arguments.say??hi???'],
    ['x'.repeat(500), 'x'.repeat(100)],
  ])('is what the server says it is: %s', (member, expected) => {
    const description = describeRefusal({ detail: 'the action is outside the bounds', member })
    expect(refusal('token', { status: 400, error: 'access_denied', description }).member).toBe(expected)
  })

  test.each([
    ['access_denied', 'the action is outside the bounds'],
    ['access_denied', 'why: because of this'],
    ['invalid_authorization_details', "'authorization_details': expected a value at character 0"],
    ['invalid_client', 'the client assertion is not a JWT: x'],
    ['invalid_dpop_proof', 'nonsense: x'],
  ])('is not guessed: %s, %s', (error, description) => {
    expect(refusal('token', { status: 400, error, description })).not.toHaveProperty('member')
  })
})

describe('what a refusal shows', () => {
  test('nothing that looks like a token, nothing that is not a line, whoever sent it', () => {
    const token = `${'a'.repeat(40)}.${'b'.repeat(40)}.${'c'.repeat(40)}`
    const said = refusal('resource', {
      status: 401,
      error: 'invalid_token',
      description: `bad\ntoken\u202e ${token}`,
      decisionId: 'x y',
      requestId: token.repeat(9),
    })
    expect(said.description).toBe('bad?token? (token)')
    expect(said).not.toHaveProperty('decisionId')
    expect(said).not.toHaveProperty('requestId')
    expect(refusal('token', { status: 400, error: 'e'.repeat(999), description: 'd'.repeat(999) })).toMatchObject({
      error: 'e'.repeat(64),
      description: 'd'.repeat(300),
    })
  })

  test('a sentence, with the record where there is one', () => {
    const said = refusal('token', { status: 400, error: 'invalid_target' })
    expect(explainRefusal(said)).toBe(`invalid_target. ${said.advice}`)
  })

  test('no JSON passes for one', () => {
    const said = refusal('token', { status: 400, error: 'invalid_target' })
    expect([isWritRefusal(said), isWritRefusal(JSON.parse(JSON.stringify(said))), isWritRefusal(null)]).toEqual([
      true,
      false,
      false,
    ])
  })
})

describe('the challenge of a resource server', () => {
  test('is read as writ/resource writes it', () => {
    const description = describeRefusal({ detail: 'the call is not the action', member: 'to[1]' })
    const challenge = dpopChallenge({
      error: 'insufficient_authorization_details',
      errorDescription: description,
      resourceMetadata: 'https://mail.example/.well-known/oauth-protected-resource?a=b,c',
    })
    expect(refusalOf(response(403, challenge))).toMatchObject({ kind: 'other_action', description, member: 'to[1]' })
  })

  test.each<[string, number, string[], string | undefined]>([
    ['beside others', 401, ['Bearer realm="a, DPoP error=\\"x\\""', 'DPoP error="invalid_token"'], 'token_refused'],
    [
      'before others, in one header',
      401,
      ['DPoP error="use_dpop_nonce", Bearer error="invalid_token"'],
      'nonce_refused',
    ],
    ['in lower case, without quotes', 401, ['dpop ERROR = invalid_dpop_proof'], 'proof_refused'],
    ['without an error', 401, ['DPoP algs="ES256"'], 'token_refused'],
    ['alone', 401, ['DPoP'], 'token_refused'],
    ['of Bearer only', 401, ['Bearer error="invalid_token"'], undefined],
    ['that is none', 401, ['"""'], undefined],
    ['that is too long', 401, [`DPoP error="${'x'.repeat(9_000)}"`], undefined],
    ['missing: a 403 of the application', 403, [], undefined],
    ['on a success', 200, ['DPoP error="invalid_token"'], undefined],
    ['on a fault', 503, ['DPoP error="invalid_token"'], undefined],
  ])('%s', (_name, status, challenges, kind) => {
    expect(refusalOf(response(status, ...challenges))?.kind).toBe(kind)
  })

  test('429 needs none', () => {
    const busy = new Response(null, { status: 429, headers: { 'retry-after': '3' } })
    expect(refusalOf(busy)).toMatchObject({ kind: 'slow_down', retryAfterSeconds: 3 })
  })
})
