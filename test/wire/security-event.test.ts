import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import type { RevokedKind } from '../../src/core/revocation/revocation-event.ts'
import type { VerificationKey } from '../../src/wire/access-token.ts'
import { parseCompactJws } from '../../src/wire/jws.ts'
import {
  checkSecurityEvent,
  type FeedMessage,
  readSecurityEvent,
  securityEventClaims,
} from '../../src/wire/security-event.ts'
import vectors from '../vectors/security-event.json' with { type: 'json' }
import { jwt, makeKey, type TestKey } from './signing.ts'

const facts = { ...vectors.facts, now: new Date(vectors.facts.now) }
const { issuer, audience } = facts
const published: VerificationKey = {
  alg: 'Ed25519',
  key: createPublicKey({ key: vectors.key.jwk, format: 'jwk' }),
}
const verificationKey = ({ alg, publicKey }: TestKey): VerificationKey => ({ alg, key: publicKey })
const floor = (date: Date) => new Date(Math.floor(date.getTime() / 1_000) * 1_000)

/** What a follower makes of it: the message, or why not. */
function heard(set: string, keys: Readonly<Record<string, VerificationKey>>) {
  const read = readSecurityEvent(set)
  return isRefusal(read) ? read : checkSecurityEvent(read, keys[read.kid], { issuer, audience })
}

interface Written {
  readonly kind: string
  readonly event?: { readonly kind: string; readonly subject: string; readonly isLifted: boolean; readonly at: string }
  readonly count?: number
  readonly restoredAt?: string
}
function messageOf({ kind, event, count = 0, restoredAt }: Written): FeedMessage {
  if (event !== undefined) {
    return { kind: 'event', event: { ...event, kind: event.kind as RevokedKind, at: new Date(event.at) } }
  }
  if (kind !== 'snapshot') return { kind: 'alive' }
  return { kind, count, restoredAt: restoredAt === undefined ? undefined : new Date(restoredAt) }
}
/** As it arrives: the time of an event in whole seconds. */
const arrived = (message: FeedMessage): FeedMessage =>
  message.kind === 'event' ? { ...message, event: { ...message.event, at: floor(message.event.at) } } : message

describe('security event tokens (RFC 8417)', () => {
  test.each(vectors.valid as { source: string; message: Written; claims: object; set: string }[])(
    '$source: built so, and read as what it was',
    ({ message: written, claims, set }) => {
      const message = messageOf(written)
      expect(JSON.parse(securityEventClaims(message, facts))).toEqual(claims)
      expect(parseCompactJws(set, 8_192)).toMatchObject({ payload: claims })
      expect(heard(set, { k1: published })).toEqual({ message: arrived(message), issuedAt: floor(facts.now) })
    },
  )

  test('there is a vector of every kind, stopped and let go on, and as many refusals as were written', () => {
    expect([vectors.valid.length, vectors.refused.length]).toEqual([13, 46])
  })

  const key = makeKey('Ed25519')
  const [right] = vectors.valid.filter(({ source }) => source === 'CAEP session-revoked')
  /** Changed so: `null` takes a member away, `{"$null": true}` makes it null. */
  const changed = (from: object, by: object) =>
    Object.fromEntries(
      Object.entries({ ...from, ...by })
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, isNull(value) ? null : value]),
    )
  const isNull = (value: unknown) => typeof value === 'object' && value !== null && '$null' in value
  const setOf = (header: object, claims: object) =>
    jwt(key, changed({ typ: 'secevent+jwt', kid: 'k1' }, header), changed(right?.claims ?? {}, claims))

  test('what the refusals differ from is taken', () => {
    expect(isRefusal(heard(setOf({}, {}), { k1: verificationKey(key) }))).toBe(false)
  })

  test.each(vectors.refused as { source: string; header: object; claims: object; detail: string }[])(
    '$source -> refused',
    ({ header, claims, detail }) => {
      expect(heard(setOf(header, claims), { k1: verificationKey(key) })).toEqual(
        expect.objectContaining({ code: 'token_invalid', detail }),
      )
    },
  )

  test('a signature of another key, or of other claims -> refused', () => {
    const set = setOf({}, {})
    const detail = 'the signature of the event does not verify'
    expect(heard(set, { k1: verificationKey(makeKey('Ed25519')) })).toMatchObject({ detail })
    expect(heard(set, { k1: verificationKey(makeKey('ES256')) })).toMatchObject({ detail })
    const [header, , signature] = set.split('.')
    const [, other] = setOf({}, { jti: 'set-2' }).split('.')
    expect(heard([header, other, signature].join('.'), { k1: verificationKey(key) })).toMatchObject({ detail })
  })

  test.each([
    ['nothing', ''],
    ['no JWT', 'a.b.c'],
    ['an unsigned one', `${Buffer.from('{"alg":"none","typ":"secevent+jwt","kid":"k1"}').toString('base64url')}.e30.`],
    ['one of 8 KiB and one character', 'a'.repeat(8_193)],
  ])('%s -> refused', (_name, set) => {
    expect(readSecurityEvent(set)).toMatchObject({ code: 'token_invalid' })
  })

  test('an algorithm we do not sign with -> refused', () => {
    const [, ...rest] = setOf({}, {}).split('.')
    for (const alg of ['none', 'HS256', 'RS256', 'es256']) {
      const header = Buffer.from(JSON.stringify({ typ: 'secevent+jwt', kid: 'k1', alg })).toString('base64url')
      expect(readSecurityEvent([header, ...rest].join('.'))).toMatchObject({ detail: 'the event names no usable key' })
    }
  })

  test.each<RevokedKind>(['token', 'key', 'delegation', 'signing_key'])('%s does not come back', (kind) => {
    const event = { kind, subject: 'x', isLifted: true, at: facts.now }
    expect(() => securityEventClaims({ kind: 'event', event }, facts)).toThrow(TypeError)
  })

  test('whatever is told is heard as it was told', () => {
    const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
    const subject = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((text) => !text.includes('\0'))
    const [lifts, final] = [
      ['account', 'action_type', 'everything'] as const,
      ['token', 'key', 'delegation', 'signing_key'] as const,
    ]
    const event = fc
      .oneof(
        fc.record({ kind: fc.constantFrom(...lifts), subject, isLifted: fc.boolean(), at: date }),
        fc.record({ kind: fc.constantFrom(...final), subject, isLifted: fc.constant(false), at: date }),
      )
      .map((one): FeedMessage => ({ kind: 'event', event: one }))
    const snapshot = fc
      .record({ count: fc.nat(), restoredAt: fc.option(date, { nil: undefined }) })
      .map((one): FeedMessage => ({ kind: 'snapshot', ...one }))
    fc.assert(
      fc.property(fc.oneof(event, snapshot), date, (message, now) => {
        const claims = JSON.parse(securityEventClaims(message, { ...facts, now })) as Record<string, unknown>
        const set = jwt(key, { typ: 'secevent+jwt', kid: 'k1' }, claims)
        expect(heard(set, { k1: verificationKey(key) })).toEqual({ message: arrived(message), issuedAt: floor(now) })
      }),
      { numRuns: 2_000 },
    )
  })
})
