import { z } from 'zod'
import type { JsonObject } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { RevocationEvent, RevokedKind } from '../core/revocation/revocation-event.ts'
import type { VerificationKey } from './access-token.ts'
import { isSignatureAlgorithm } from './algorithms.ts'
import { type ParsedJws, parseCompactJws, verifyJws } from './jws.ts'

/** The media type of a Security Event Token: it can be taken for no other JWT (RFC 8417 §2.3). */
export const SECURITY_EVENT_TYP = 'secevent+jwt'

const KiB = 1024
const MAX_SET_BYTES = 8 * KiB

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type'
const OURS = 'urn:writ:event'
/** SSF: says that the stream is alive. */
const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
const SNAPSHOT = `${OURS}:snapshot`

/** The event type of each kind: CAEP and RISC where they have one, ours elsewhere. */
const TYPES: Record<RevokedKind, { readonly stopped: string; readonly lifted?: string }> = {
  account: { stopped: `${RISC}/account-disabled`, lifted: `${RISC}/account-enabled` },
  token: { stopped: `${CAEP}/session-revoked` },
  key: { stopped: `${CAEP}/credential-change` },
  delegation: { stopped: `${OURS}:delegation-revoked` },
  action_type: { stopped: `${OURS}:action-type-suspended`, lifted: `${OURS}:action-type-resumed` },
  signing_key: { stopped: `${OURS}:signing-key-compromised` },
  everything: { stopped: `${OURS}:everything-stopped`, lifted: `${OURS}:everything-resumed` },
}

/** One message of the revocation feed. */
export type FeedMessage =
  | { readonly kind: 'event'; readonly event: RevocationEvent }
  /** What is known so far counts no more: `count` events follow that are in force. */
  | {
      readonly kind: 'snapshot'
      readonly count: number
      /** Tokens that were issued until then are void: the server was restored from a backup. */
      readonly restoredAt: Date | undefined
    }
  /** Everything until now has been told. */
  | { readonly kind: 'alive' }

export interface SetFacts {
  readonly issuer: string
  /** The identifier of the resource server that follows. */
  readonly audience: string
  readonly jti: string
  readonly now: Date
}

/** The claims of a message as a Security Event Token (RFC 8417 §2.2), as JSON text. Without `exp` and `sub`: it is no access token. */
export function securityEventClaims(message: FeedMessage, { issuer, audience, jti, now }: SetFacts): string {
  const common = { iss: issuer, aud: audience, iat: seconds(now), jti }
  if (message.kind === 'alive') return JSON.stringify({ ...common, events: { [VERIFICATION]: {} } })
  if (message.kind === 'snapshot') {
    const { count, restoredAt } = message
    const body = { count, ...(restoredAt && { restored_at: restoredAt.getTime() / 1_000 }) }
    return JSON.stringify({ ...common, events: { [SNAPSHOT]: body } })
  }
  const { event } = message
  const types = TYPES[event.kind]
  const type = event.isLifted ? types.lifted : types.stopped
  if (type === undefined) throw new TypeError(`what is stopped as ${event.kind} does not come back`)
  return JSON.stringify({
    ...common,
    sub_id: subjectOf(event, issuer),
    events: { [type]: { event_timestamp: seconds(event.at), ...(event.kind === 'key' && CREDENTIAL_REVOKED) } },
  })
}

/** (CAEP §3.2) */
const CREDENTIAL_REVOKED = { credential_type: 'public-key', change_type: 'revoke' }

/** Subject identifiers (RFC 9493; `jwt_id` is the one of SSF for tokens). */
function subjectOf({ kind, subject }: RevocationEvent, issuer: string): JsonObject {
  if (kind === 'account') return { format: 'iss_sub', iss: issuer, sub: subject }
  if (kind === 'token') return { format: 'jwt_id', iss: issuer, jti: subject }
  return { format: 'opaque', id: subject }
}

/** The last second a date can be; beyond it every comparison would be false. */
const NumericDate = z.number().min(0).max(8_640_000_000_000)
const Name = z.string().min(1).max(2_048)
const SetClaims = z.looseObject({
  iss: z.string(),
  aud: z.string(),
  iat: NumericDate,
  jti: Name,
  // A token that says when it expires, or of whom it is, is another kind of token (RFC 8417 §4.5).
  exp: z.undefined().optional(),
  sub: z.undefined().optional(),
  sub_id: z
    .looseObject({
      format: z.string(),
      sub: Name.optional(),
      jti: Name.optional(),
      id: Name.optional(),
      iss: z.string().optional(),
    })
    .optional(),
  events: z.record(
    z.string(),
    z.looseObject({
      event_timestamp: NumericDate.optional(),
      count: z.int().min(0).optional(),
      restored_at: NumericDate.optional(),
    }),
  ),
})

/** A message that was read and not verified. */
export interface UnverifiedSet {
  readonly jws: ParsedJws
  readonly kid: string
}

/** Reads the form of a Security Event Token, so that its key can be looked up. */
export function readSecurityEvent(token: string): UnverifiedSet | Refusal<'token_invalid'> {
  const jws = parseCompactJws(token, MAX_SET_BYTES)
  if (isRefusal(jws)) return refuse('token_invalid', `the event is not a JWT: ${jws.detail}`)
  const { typ, alg, kid } = jws.header
  if (typ !== SECURITY_EVENT_TYP) return refuse('token_invalid', '"typ" of the event is not secevent+jwt')
  if (!isSignatureAlgorithm(alg) || typeof kid !== 'string')
    return refuse('token_invalid', 'the event names no usable key')
  return { jws, kid }
}

/** Checks a message that was read: signature, issuer, audience, and that it is one of those that are known. */
export function checkSecurityEvent(
  { jws }: UnverifiedSet,
  key: VerificationKey | undefined,
  { issuer, audience }: Pick<SetFacts, 'issuer' | 'audience'>,
): { readonly message: FeedMessage; readonly issuedAt: Date } | Refusal<'token_invalid'> {
  const invalid = (detail: string) => refuse('token_invalid', detail)
  if (key === undefined) return invalid('the event is signed by no key of the issuer')
  if (!verifyJws(jws, key.key, key.alg)) return invalid('the signature of the event does not verify')
  const parsed = SetClaims.safeParse(jws.payload)
  if (!parsed.success) return invalid('the event lacks a claim or has an invalid one')
  const { iss, aud, iat, events, sub_id } = parsed.data
  if (iss !== issuer || aud !== audience) return invalid('the event is not of the issuer, or for somebody else')
  const [entry, ...more] = Object.entries(events)
  if (entry === undefined || more.length > 0) return invalid('the event says nothing, or more than one thing')
  const message = messageOf(entry[0], entry[1], sub_id ?? {}, issuer)
  return message === undefined
    ? invalid('the event is of an unknown type')
    : { message, issuedAt: new Date(iat * 1_000) }
}

interface EventBody {
  readonly event_timestamp?: number | undefined
  readonly count?: number | undefined
  readonly restored_at?: number | undefined
}

type SubjectId = Readonly<Record<string, unknown>>

function messageOf(type: string, body: EventBody, subId: SubjectId, issuer: string): FeedMessage | undefined {
  if (type === VERIFICATION) return { kind: 'alive' }
  if (type === SNAPSHOT) return snapshotOf(body)
  const known = KINDS.get(type)
  if (known === undefined || body.event_timestamp === undefined) return undefined
  const subject = subjectIn(subId, known.kind, issuer)
  if (subject === undefined) return undefined
  return { kind: 'event', event: { ...known, subject, at: new Date(body.event_timestamp * 1_000) } }
}

function snapshotOf({ count, restored_at }: EventBody): FeedMessage | undefined {
  if (count === undefined) return undefined
  const restoredAt = restored_at === undefined ? undefined : new Date(Math.round(restored_at * 1_000))
  return { kind: 'snapshot', count, restoredAt }
}

/** The subject, in the format that its kind has and no other (RFC 9493 §3). */
function subjectIn(subId: SubjectId, kind: RevokedKind, issuer: string): string | undefined {
  const { format, iss, sub, jti, id } = subId
  const [expected, named] = kind === 'account' ? ['iss_sub', sub] : kind === 'token' ? ['jwt_id', jti] : ['opaque', id]
  const isOurs = expected === 'opaque' || iss === issuer
  return format === expected && isOurs && typeof named === 'string' ? named : undefined
}

const KINDS = new Map<string, Pick<RevocationEvent, 'kind' | 'isLifted'>>(
  (Object.entries(TYPES) as [RevokedKind, { stopped: string; lifted?: string }][]).flatMap(
    ([kind, { stopped, lifted }]) => [
      [stopped, { kind, isLifted: false }] as const,
      ...(lifted === undefined ? [] : [[lifted, { kind, isLifted: true }] as const]),
    ],
  ),
)

const seconds = (date: Date) => Math.floor(date.getTime() / 1_000)
