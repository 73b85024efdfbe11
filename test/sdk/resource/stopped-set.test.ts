import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONCERNS_SECONDS, type RevokedKind } from '../../../src/core/revocation/revocation-event.ts'
import { createStoppedSet, type Stoppable } from '../../../src/sdk/resource/stopped-set.ts'
import type { ActionTokenClaims } from '../../../src/wire/access-token-claims.ts'
import type { FeedMessage } from '../../../src/wire/security-event.ts'

const IAT = 1_800_000_000
const token = (claims: Partial<ActionTokenClaims> = {}, kid = 'signer'): Stoppable => ({
  kid,
  claims: {
    ...{ iss: 'https://as.example', aud: 'https://mail.example', sub: 'alice', client_id: 'child', jti: 't-1' },
    ...{ iat: IAT, exp: IAT + 60, cnf: { jkt: 'jkt-1' }, delegation_id: 'd-1', txn: 'x-1' },
    authorization_details: [{ type: 'email_send', locations: ['https://mail.example'] }],
    act: {
      ...{ iss: 'https://as.example', sub: 'child', sub_profile: 'ai_agent' },
      act: {
        ...{ iss: 'https://as.example', sub: 'parent', sub_profile: 'ai_agent' },
        act: { iss: 'https://as.example', sub: 'grandparent', sub_profile: 'ai_agent' },
      },
    },
    ...claims,
  } as ActionTokenClaims,
})
const event = (kind: RevokedKind, subject: string, isLifted = false): FeedMessage => ({
  kind: 'event',
  event: { kind, subject, isLifted, at: new Date(IAT * 1_000) },
})
const snapshot = (count: number, restoredAt?: Date): FeedMessage => ({ kind: 'snapshot', count, restoredAt })
const alive: FeedMessage = { kind: 'alive' }

/** A set that has been told that nothing is stopped. */
function whole() {
  const set = createStoppedSet()
  set.apply(snapshot(0), 0)
  return set
}

describe('what a token stands on', () => {
  const STANDS_ON: readonly (readonly [RevokedKind, string])[] = [
    ['everything', '*'],
    ['signing_key', 'signer'],
    ['token', 't-1'],
    ['key', 'jkt-1'],
    ['delegation', 'd-1'],
    ['action_type', 'email_send'],
    ['account', 'alice'],
    ['account', 'child'],
    ['account', 'parent'],
    ['account', 'grandparent'],
  ]
  test.each(STANDS_ON)('%s %s: stops it, until it is lifted', (kind, subject) => {
    const set = whole()
    expect(set.stops(token())).toBeUndefined()
    set.apply(event(kind, subject), 1)
    expect(set.stops(token())).toBe(kind)
    set.apply(event(kind, subject, true), 2)
    expect(set.stops(token())).toBeUndefined()
  })

  test.each(STANDS_ON)('another %s than %s, or the same name of another kind: stops nothing', (kind, subject) => {
    const set = whole()
    set.apply(event(kind, `${subject} `), 1)
    const kinds: RevokedKind[] = ['account', 'token', 'key', 'delegation', 'action_type', 'signing_key']
    for (const other of kinds) {
      const isItsOwn = STANDS_ON.some(([k, s]) => k === other && s === subject)
      if (!isItsOwn) set.apply(event(other, subject), 1)
    }
    expect(set.stops(token())).toBeUndefined()
  })

  test('a restore stops what was issued until then, and nothing that was issued later', () => {
    const set = createStoppedSet()
    set.apply(snapshot(0, new Date(IAT * 1_000)), 0)
    expect(set.stops(token())).toBe('restored')
    expect(set.stops(token({ iat: IAT + 1 }))).toBeUndefined()
    set.apply(snapshot(0), 1)
    expect(set.stops(token())).toBeUndefined()
  })
})

describe('a snapshot', () => {
  test('before it, and until all of it is there, what is stopped is not known', () => {
    const set = createStoppedSet()
    set.apply(alive, 0)
    set.apply(event('token', 'early'), 0)
    expect(set.isWhole()).toBe(false)
    set.apply(snapshot(2), 1)
    set.apply(event('account', 'alice'), 1)
    set.apply(alive, 1)
    expect(set.isWhole()).toBe(false)
    expect(set.stops(token())).toBe('account')
    set.apply(event('account', 'bob'), 1)
    expect(set.isWhole()).toBe(true)
  })

  test('what was known holds until it is there, then only what it said', () => {
    const set = whole()
    set.apply(event('token', 't-1'), 1)
    set.apply(snapshot(1), 2)
    expect(set.stops(token())).toBe('token')
    set.apply(event('account', 'bob'), 2)
    expect(set.stops(token())).toBeUndefined()
  })

  test('one that was cut off is forgotten with the next', () => {
    const set = whole()
    set.apply(snapshot(2), 1)
    set.apply(event('token', 't-1'), 1)
    set.apply(snapshot(1), 2)
    expect(set.isWhole()).toBe(false)
    set.apply(event('account', 'bob'), 2)
    expect(set.isWhole()).toBe(true)
    expect(set.stops(token())).toBeUndefined()
    expect(set.stops(token({ sub: 'bob' }))).toBe('account')
  })
})

describe('a stop', () => {
  test('is remembered for as long as it concerns any token, heard again for as long again', () => {
    const set = whole()
    set.apply(event('token', 't-1'), 10)
    set.apply(event('delegation', 'other'), 20)
    set.apply(alive, 10 + CONCERNS_SECONDS)
    expect(set.stops(token())).toBe('token')
    set.apply(event('token', 't-1'), 10 + CONCERNS_SECONDS)
    set.apply(alive, 10 + 2 * CONCERNS_SECONDS)
    expect(set.stops(token())).toBe('token')
    set.apply(alive, 11 + 2 * CONCERNS_SECONDS)
    expect(set.stops(token())).toBeUndefined()
  })

  test('heard again it stands behind what was heard meanwhile, which is forgotten first', () => {
    const set = whole()
    set.apply(event('account', 'bob'), 1)
    set.apply(event('token', 't-1'), 2)
    set.apply(event('account', 'bob'), 300)
    set.apply(alive, 3 + CONCERNS_SECONDS)
    expect(set.stops(token())).toBeUndefined()
    expect(set.stops(token({ sub: 'bob' }))).toBe('account')
  })

  test('more than can be remembered is a fault, and nothing that was known is given up for it', () => {
    const set = whole()
    set.apply(event('token', 't-1'), 1)
    expect(() => {
      for (let i = 0; i < 200_001; i++) set.apply(event('token', `flood-${i}`), 2)
    }).toThrow(RangeError)
    expect(set.stops(token())).toBe('token')
  })
})

// The model: lists of what was said, gone through from the beginning at every question.
describe('as a plain list of everything that was said would', () => {
  const SUBJECTS = [
    ...['alice', 'child', 'parent', 'stranger'].map((subject) => ['account', subject] as const),
    ...['t-1', 't-2'].map((subject) => ['token', subject] as const),
    ...(['d-1', 'd-2'] as const).map((subject) => ['delegation', subject] as const),
    ...([
      ['key', 'jkt-1'],
      ['action_type', 'email_send'],
      ['signing_key', 'signer'],
      ['everything', '*'],
    ] as const),
  ]
  interface Said {
    readonly key: string
    readonly isLifted: boolean
    readonly at: number
  }
  const isStopped = (said: readonly Said[], key: string) => said.findLast((one) => one.key === key)?.isLifted === false
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('stop' as const), of: fc.nat(SUBJECTS.length - 1) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('lift' as const), of: fc.nat(SUBJECTS.length - 1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('snapshot' as const), of: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('alive' as const), of: fc.constant(0) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), of: fc.constantFrom(1, 60, 180, 361) }) },
  )
  const asked = [token(), token({ jti: 't-2', delegation_id: 'd-2', sub: 'stranger' }), token({}, 'another')]
  const standsOn = ({ claims, kid }: Stoppable) => [
    ...['everything *', `signing_key ${kid}`, `token ${claims.jti}`, `key ${claims.cnf.jkt}`],
    ...[`delegation ${claims.delegation_id}`, 'action_type email_send', `account ${claims.sub}`],
    ...['child', 'parent', 'grandparent'].map((id) => `account ${id}`),
  ]

  test('stops, lifts, snapshots whole and cut off, and time, in any order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const set = createStoppedSet()
        let now = 1
        let said: Said[] = []
        let arriving: { said: Said[]; missing: number } | undefined
        let isKnown = false
        for (const { kind, of } of steps) {
          if (kind === 'pass') now += of
          else {
            said = said.filter(({ at }) => now - at <= CONCERNS_SECONDS)
            if (kind === 'alive') set.apply(alive, now)
            if (kind === 'snapshot') {
              set.apply(snapshot(of), now)
              arriving = { said: [], missing: of }
            }
            if (kind === 'stop' || kind === 'lift') {
              const [name, subject] = SUBJECTS[of] as (typeof SUBJECTS)[0]
              set.apply(event(name, subject, kind === 'lift'), now)
              const one = { key: `${name} ${subject}`, isLifted: kind === 'lift', at: now }
              if (arriving === undefined) said.push(one)
              else {
                arriving.said.push(one)
                arriving.missing--
              }
            }
            if (arriving?.missing === 0) {
              said = arriving.said
              arriving = undefined
              isKnown = true
            }
          }
          expect(set.isWhole()).toBe(isKnown && arriving === undefined)
          for (const one of asked) {
            const expected = standsOn(one).some((key) => isStopped(said, key) || isStopped(arriving?.said ?? [], key))
            expect(set.stops(one) !== undefined).toBe(expected)
          }
        }
      }),
      { numRuns: 5_000 },
    )
  })
})
