import { z } from 'zod'
import type { NewKey, RegisteredKey } from '../../commands/admin/registered.ts'
import { isRefusal } from '../../core/refusal.ts'
import { jwkThumbprint, parsePublicJwk, SECRET_MEMBERS } from '../../wire/jwk.ts'

/**
 * Members that several bodies and answers have. What `describe` and `meta` say is for the description of the API; `asJson`
 * there stands for a schema that says less, or other things, than what is accepted.
 */

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
const NUMERIC_DATE = 'NumericDate (RFC 7519 section 2): seconds since 1970-01-01 UTC.'

/** A NumericDate (RFC 7519 §2), as everywhere in this contract. */
export const Timestamp = z
  .number({ error: 'must be a NumericDate: seconds since 1970-01-01 UTC, as a number' })
  .min(0)
  .max(LAST_SECOND)
  .transform((seconds) => new Date(Math.round(seconds * 1_000)))
  .describe(NUMERIC_DATE)

/** A time as the API shows it. */
export const Moment = z.number().describe(NUMERIC_DATE)

/** The same in a query, where everything is text. */
export const TimestampText = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?$/, 'must be a NumericDate: seconds since 1970-01-01 UTC')
  .transform(Number)
  .pipe(Timestamp)
  .meta({ description: NUMERIC_DATE, asJson: { type: 'number', minimum: 0, maximum: LAST_SECOND } })

const COORDINATE = { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' }
const PUBLIC_JWK = {
  type: 'object',
  propertyNames: { not: { enum: [...SECRET_MEMBERS] } },
  oneOf: [
    {
      properties: { kty: { const: 'EC' }, crv: { const: 'P-256' } },
      required: ['kty', 'crv', 'x', 'y'],
    },
    { properties: { kty: { const: 'OKP' }, crv: { const: 'Ed25519' } }, required: ['kty', 'crv', 'x'] },
  ],
  properties: {
    ...{ kty: { type: 'string', enum: ['EC', 'OKP'] }, crv: { type: 'string', enum: ['P-256', 'Ed25519'] } },
    ...{ x: COORDINATE, y: COORDINATE },
  },
} as const

/** A public JWK: P-256 or Ed25519, with its required members only once it is read. */
export const PublicKey = z
  .record(z.string().max(255), z.json())
  .transform((value, context) => {
    const jwk = parsePublicJwk(value)
    if (!isRefusal(jwk)) return jwk
    context.addIssue({ code: 'custom', message: jwk.detail, path: jwk.member === undefined ? [] : [jwk.member] })
    return z.NEVER
  })
  .meta({
    id: 'PublicJwk',
    description:
      'A public JWK of P-256 or Ed25519. Private members are refused; of others only the required ones are kept.',
    asJson: PUBLIC_JWK,
  })

export const KeyRegistration = z
  .strictObject({
    jwk: PublicKey,
    label: ShortText.optional(),
    expires_at: Timestamp.describe(`Absent: until it is retired. ${NUMERIC_DATE}`).optional(),
  })
  .transform(
    ({ jwk, label, expires_at }): NewKey => ({
      kid: jwkThumbprint(jwk),
      jwk,
      label: label ?? null,
      expiresAt: expires_at ?? null,
    }),
  )
  .meta({ id: 'KeyRegistration' })
export const Keys = z.array(KeyRegistration).max(10).default([])

/** Why something is stopped, for the account. */
export const ReasonOnly = z
  .strictObject({ reason: Reason.describe('Why, for the account.').optional() })
  .meta({ id: 'ReasonOnly' })

/** A public JWK as the API shows it. */
export const ShownJwk = z
  .object({
    ...{ kty: z.enum(['EC', 'OKP']), crv: z.enum(['P-256', 'Ed25519']), x: z.string(), y: z.string().optional() },
    kid: z.string().describe('RFC 7638 thumbprint.'),
  })
  .meta({ id: 'ShownJwk' })

export const ShownKey = z
  .object({
    kid: z.string().describe('RFC 7638 thumbprint.'),
    jwk: ShownJwk,
    label: z.string().optional(),
    status: z.enum(['active', 'retired']),
    expires_at: Moment.optional(),
    created_at: Moment,
    retired_at: Moment.optional(),
  })
  .meta({ id: 'Key' })

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
