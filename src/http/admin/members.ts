import { z } from 'zod'
import type { NewKey, RegisteredKey } from '../../commands/admin/registered.ts'
import { isRefusal } from '../../core/refusal.ts'
import { jwkThumbprint, parsePublicJwk } from '../../wire/jwk.ts'

/** Members that several bodies have. */

const ONE_LINE = /^[^\p{Cc}\u2028\u2029]*$/u
const line = (maxCharacters: number) => z.string().min(1).max(maxCharacters).regex(ONE_LINE, 'must be one line of text')

/** The one namespace of agents, resources, administrators and principals. */
export const Id = z.string().regex(/^[a-z0-9._-]{1,255}$/, 'must be 1 to 255 of a-z 0-9 - _ .')
export const Name = line(200)
export const ShortText = line(255)
export const LongText = z.string().min(1).max(2_000)
export const Reason = z.string().min(1).max(500)
export const ActionTypeName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._:/-]{0,127}$/, 'must be the name of an action type')

/** The last moment that a time may name: the end of the year 9999. Unit: seconds since the epoch. */
const LAST_SECOND = 253_402_300_799

/** A NumericDate (RFC 7519 §2), as everywhere in this contract. */
export const Timestamp = z
  .number({ error: 'must be a NumericDate: seconds since 1970-01-01 UTC, as a number' })
  .min(0)
  .max(LAST_SECOND)
  .transform((seconds) => new Date(Math.round(seconds * 1_000)))

/** The same in a query, where everything is text. */
export const TimestampText = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?$/, 'must be a NumericDate: seconds since 1970-01-01 UTC')
  .transform(Number)
  .pipe(Timestamp)

/** A public JWK: P-256 or Ed25519, with its required members only once it is read. */
export const PublicKey = z.record(z.string().max(255), z.json()).transform((value, context) => {
  const jwk = parsePublicJwk(value)
  if (!isRefusal(jwk)) return jwk
  context.addIssue({ code: 'custom', message: jwk.detail, path: jwk.member === undefined ? [] : [jwk.member] })
  return z.NEVER
})

export const KeyRegistration = z
  .strictObject({ jwk: PublicKey, label: ShortText.optional(), expires_at: Timestamp.optional() })
  .transform(
    ({ jwk, label, expires_at }): NewKey => ({
      kid: jwkThumbprint(jwk),
      jwk,
      label: label ?? null,
      expiresAt: expires_at ?? null,
    }),
  )
export const Keys = z.array(KeyRegistration).max(10).default([])

/** Why something is stopped, for the account. */
export const ReasonOnly = z.strictObject({ reason: Reason.optional() })

/** A key as the API shows it; the public part only, for there is no other here. */
export const keyView = (key: RegisteredKey) => ({
  kid: key.kid,
  jwk: { ...key.jwk, kid: key.kid },
  label: key.label ?? undefined,
  status: key.status,
  expires_at: key.expiresAt ?? undefined,
  created_at: key.createdAt,
  retired_at: key.retiredAt ?? undefined,
})

/** The members that are set. */
export const withoutNulls = <Value>(members: Readonly<Record<string, Value>>): Record<string, NonNullable<Value>> =>
  Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, NonNullable<Value>] => (entry[1] ?? null) !== null),
  )
