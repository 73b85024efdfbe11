import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { claimsOf, type TokenUse } from '../../src/wire/access-token-claims.ts'

const Id = z.string().min(1).max(255)
const Text = z.string().min(1).max(2_048)
const NumericDate = z.number().min(0).max(Number.MAX_SAFE_INTEGER)
const cnf = z.looseObject({ jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
const Actor = z.looseObject({
  iss: Text.optional(),
  sub: Id,
  sub_profile: z.string().max(255).optional(),
  get act() {
    return Actor.optional()
  },
})
const registered = {
  ...{ iss: Text, aud: Text, sub: Id, client_id: Id, jti: Id },
  ...{ iat: NumericDate, exp: NumericDate, nbf: NumericDate.optional() },
}

/** The claims once more, as a schema: what the checks by hand are held to. */
const SCHEMAS: Record<TokenUse, z.ZodType> = {
  action: z.looseObject({
    ...registered,
    token_use: z.undefined().optional(),
    cnf,
    act: Actor,
    authorization_details: z.tuple([z.looseObject({ type: Text })]),
    delegation_id: Id,
    txn: Id,
    turn: z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/)
      .optional(),
  }),
  agent: z.looseObject({ ...registered, token_use: z.literal('agent'), cnf }),
  resource: z.looseObject({ ...registered, token_use: z.literal('resource'), cnf }),
  subject: z.looseObject({ ...registered, token_use: z.literal('subject'), may_act: z.looseObject({ sub: Id }) }),
  admin: z.looseObject({ ...registered, token_use: z.literal('admin'), cnf, scope: Text }),
}
const USES = Object.keys(SCHEMAS) as TokenUse[]

const right: Record<TokenUse, JsonObject> = (() => {
  const all = {
    iss: 'https://as.example',
    aud: 'https://rs.example',
    sub: 'alice',
    client_id: 'planner',
    jti: 'j',
    iat: 1,
    exp: 2,
  }
  const bound = { ...all, cnf: { jkt: 'a'.repeat(43) } }
  const act = { sub: 'c', iss: 'https://as.example', sub_profile: 'ai_agent', act: { sub: 'b', act: { sub: 'a' } } }
  return {
    action: {
      ...bound,
      act,
      authorization_details: [{ type: 'note', text: 'x' }],
      delegation_id: 'd',
      txn: 't',
      turn: '1',
      nbf: 1,
    },
    agent: { ...bound, token_use: 'agent' },
    resource: { ...bound, token_use: 'resource' },
    subject: { ...all, token_use: 'subject', may_act: { sub: 'planner' } },
    admin: { ...bound, token_use: 'admin', scope: 'admin' },
  }
})()

/** What an attacker, or a mistake, puts in the place of a value: wrong types, and both sides of every limit. */
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue[]>(
    ...[null, true, '', 'x', 0, -1, 1.5, 2 ** 53 - 1, 2 ** 53, [], {}, [{}], { sub: 'x' }, { sub: '' }, { type: 'x' }],
    ...[
      'a'.repeat(43),
      'a'.repeat(42),
      `${'a'.repeat(42)}+`,
      `${'a'.repeat(43)}\n`,
      { jkt: 'a'.repeat(43) },
      { jkt: 'x' },
    ],
    ...[
      'x'.repeat(128),
      'x'.repeat(129),
      'x'.repeat(255),
      'x'.repeat(256),
      'x'.repeat(2_048),
      'x'.repeat(2_049),
      'a b',
      '\u{1f600}',
    ],
    ...USES.flatMap((use): JsonValue[] => [use, right[use].act ?? null, right[use].authorization_details ?? null]),
    ...[
      [{ type: '' }],
      [{ type: 'x'.repeat(2_048) }],
      [{ type: 'x'.repeat(2_049) }],
      [{ type: 'a' }, { type: 'b' }],
      [[]],
      [null],
    ],
    ...[
      { sub: 'a', act: { sub: 1 } },
      { sub: 'a', act: null },
      { sub: 'a', iss: '' },
      { sub: 'a', sub_profile: '' },
    ],
  ),
  fc.string({ maxLength: 4 }),
)
const change = fc.record({
  name: fc.nat(),
  other: fc.constantFrom('token_use', 'nbf', 'turn', 'else'),
  to: fc.option(value),
})

/** Sets, replaces or removes one member; of a nested object now and then. */
function changed(
  payload: JsonObject,
  { name, other, to }: { name: number; other: string; to: JsonValue | null },
  inner: boolean,
): JsonObject {
  const names = [...Object.keys(payload), other]
  const chosen = names[name % names.length] as string
  const there = payload[chosen]
  const copy: Record<string, JsonValue> = { ...payload }
  if (inner && typeof there === 'object' && there !== null && !Array.isArray(there)) {
    copy[chosen] = changed(there as JsonObject, { name: name >> 3, other: 'sub', to }, true)
  } else if (to === null) delete copy[chosen]
  else copy[chosen] = to
  return copy
}

describe('claimsOf', () => {
  test.each(USES)('%s: takes what is right as it is, and no other use of it', (use) => {
    expect(claimsOf(use, right[use])).toBe(right[use])
    for (const other of USES) if (other !== use) expect(claimsOf(other, right[use])).toBeUndefined()
  })

  test.each(USES)('%s: takes what the schema takes, no more and no less', (use) => {
    const seen = { taken: 0, refused: 0 }
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.boolean(), (changes, inner) => {
        const payload = changes.reduce((one, next) => changed(one, next, inner), right[use])
        const isRight = SCHEMAS[use].safeParse(payload).success
        seen[isRight ? 'taken' : 'refused']++
        expect(claimsOf(use, payload) !== undefined).toBe(isRight)
      }),
      { numRuns: 5_000 },
    )
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(250)
  })
})
