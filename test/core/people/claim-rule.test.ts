import { describe, expect, test } from 'vitest'
import { principalNamed } from '../../../src/core/people/claim-rule.ts'

const EMAIL = { claim: 'email', equals: 'email', requireVerified: true } as const
const ID = { claim: 'employee', equals: 'id', requireVerified: false } as const

describe('claims name', () => {
  test.each([
    [EMAIL, { email: 'Bob@Example.com', email_verified: true }, { by: 'email', value: 'bob@example.com' }],
    [{ ...EMAIL, requireVerified: false }, { email: 'bob@example.com' }, { by: 'email', value: 'bob@example.com' }],
    [ID, { employee: 'bob.1' }, { by: 'id', value: 'bob.1' }],
    [
      { ...ID, requireVerified: true },
      { employee: 'bob', employee_verified: true },
      { by: 'id', value: 'bob' },
    ],
  ] as const)('by %j in %j: %j', (rule, claims, named) => expect(principalNamed(rule, claims)).toEqual(named))

  test.each([
    [EMAIL, {}],
    [EMAIL, { email: 'bob@example.com' }],
    [EMAIL, { email: 'bob@example.com', email_verified: 'true' }],
    [EMAIL, { email: 'bob@example.com', email_verified: 1 }],
    [EMAIL, { email: ['bob@example.com'], email_verified: true }],
    [EMAIL, { email: 'no address', email_verified: true }],
    [EMAIL, { email: 'nobody', email_verified: true }],
    // The Kelvin sign, whose lower case is an ASCII k.
    [EMAIL, { email: '\u212aate@example.com', email_verified: true }],
    [EMAIL, Object.create({ email: 'bob@example.com', email_verified: true })],
    [ID, { employee: 'Bob' }],
    [ID, { employee: 'bob/../alice' }],
    [ID, { employee: 7 }],
    [{ ...ID, claim: 'constructor' }, {}],
  ] as const)('nobody by %j in %j', (rule, claims) => expect(typeof principalNamed(rule, claims)).toBe('string'))
})
