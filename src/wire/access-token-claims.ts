import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts'

/** What an access token of ours is for. An action token is the only one that is used at a resource server. */
export type TokenUse = 'action' | 'agent' | 'resource' | 'subject' | 'admin'

const MAX_ID_CHARACTERS = 255
const MAX_TEXT_CHARACTERS = 2_048

/** Claims that are not named here are ignored (RFC 7519 §4), and kept. */
interface OtherClaims {
  readonly [claim: string]: unknown
}

/** What every JWT access token has (RFC 9068 §2.2), whatever its use. `aud` is one string: one token, one place. */
interface RegisteredClaims extends OtherClaims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly client_id: string
  readonly jti: string
  /** Unit: seconds since the epoch, like `exp` and `nbf`. */
  readonly iat: number
  readonly exp: number
  readonly nbf?: number | undefined
}

/** The key the token is bound to (RFC 9449 §6.1). */
interface Confirmation extends OtherClaims {
  readonly jkt: string
}

/** Who acts: the current actor outermost (RFC 8693 §4.1). */
interface ActorClaim extends OtherClaims {
  readonly iss?: string | undefined
  readonly sub: string
  readonly sub_profile?: string | undefined
  readonly act?: ActorClaim | undefined
}

/** The per-call token: one action, bound to the agent's key. It has no `token_use`. */
export interface ActionTokenClaims extends RegisteredClaims {
  readonly token_use?: undefined
  readonly cnf: Confirmation
  readonly act: ActorClaim
  /** Exactly one element: one token, one action (RFC 9396 §2). Its members are the action's own; it is compared whole. */
  readonly authorization_details: readonly [JsonObject & { readonly type: string }]
  readonly delegation_id: string
  readonly txn: string
  readonly turn?: string | undefined
}

/** What an agent calls the server itself with. */
export interface AgentTokenClaims extends RegisteredClaims {
  readonly token_use: 'agent'
  readonly cnf: Confirmation
}

/** What a resource server calls the server itself with: to follow the revocation feed. */
export interface ResourceTokenClaims extends RegisteredClaims {
  readonly token_use: 'resource'
  readonly cnf: Confirmation
}

/** Names a delegation. No bearer secret: only the agent it names can use it, so it is bound to no key. */
export interface SubjectTokenClaims extends RegisteredClaims {
  readonly token_use: 'subject'
  readonly may_act: OtherClaims & { readonly sub: string }
}

/** What an administrator's client calls the admin API with. */
export interface AdminTokenClaims extends RegisteredClaims {
  readonly token_use: 'admin'
  readonly cnf: Confirmation
  readonly scope: string
}

interface ClaimsByUse {
  readonly action: ActionTokenClaims
  readonly agent: AgentTokenClaims
  readonly resource: ResourceTokenClaims
  readonly subject: SubjectTokenClaims
  readonly admin: AdminTokenClaims
}

/** The claims of one use. */
export type AccessTokenClaims<Use extends TokenUse = TokenUse> = ClaimsByUse[Use]

/**
 * The payload as the claims of one use, or undefined: it is for another use, lacks a claim or has an invalid one.
 *
 * By hand and not by a schema: this is asked at every call, and a schema takes longer than everything around it but the
 * signature. INVARIANT: it takes what the schema in test/property/claims.test.ts takes, no more and no less.
 */
export function claimsOf<Use extends TokenUse>(use: Use, payload: JsonObject): AccessTokenClaims<Use> | undefined {
  return hasRegistered(payload) && HAS_ITS_OWN[use](payload)
    ? (payload as JsonObject as unknown as AccessTokenClaims<Use>)
    : undefined
}

/** What a use has beyond what all have. Its `token_use` first, so that no kind of token is ever taken for another. */
const HAS_ITS_OWN: Readonly<Record<TokenUse, (payload: JsonObject) => boolean>> = {
  action: ({ token_use: use, cnf, act, authorization_details: details, delegation_id: delegation, txn, turn }) =>
    use === undefined &&
    isConfirmation(cnf) &&
    isActor(act) &&
    isOneAction(details) &&
    isId(delegation) &&
    isId(txn) &&
    (turn === undefined || isTurn(turn)),
  agent: ({ token_use: use, cnf }) => use === 'agent' && isConfirmation(cnf),
  resource: ({ token_use: use, cnf }) => use === 'resource' && isConfirmation(cnf),
  subject: ({ token_use: use, may_act: actor }) => use === 'subject' && isJsonObject(actor) && isId(actor.sub),
  admin: ({ token_use: use, cnf, scope }) => use === 'admin' && isConfirmation(cnf) && isText(scope),
}

function hasRegistered({ iss, aud, sub, client_id: client, jti, iat, exp, nbf }: JsonObject): boolean {
  return (
    isText(iss) &&
    isText(aud) &&
    isId(sub) &&
    isId(client) &&
    isId(jti) &&
    isNumericDate(iat) &&
    isNumericDate(exp) &&
    (nbf === undefined || isNumericDate(nbf))
  )
}

type Value = JsonValue | undefined

const isId = (value: Value) => typeof value === 'string' && value !== '' && value.length <= MAX_ID_CHARACTERS
const isText = (value: Value) => typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARACTERS
const isNumericDate = (value: Value) => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const isTurn = (value: Value) => typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value)
const isConfirmation = (value: Value) =>
  isJsonObject(value) && typeof value.jkt === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value.jkt)

/** As deep as JSON may nest: a chain of actors has its own limit where it is built. */
function isActor(value: Value): boolean {
  if (!isJsonObject(value)) return false
  const { iss, sub, sub_profile: profile, act } = value
  if (!isId(sub) || (iss !== undefined && !isText(iss))) return false
  if (profile !== undefined && !(typeof profile === 'string' && profile.length <= MAX_ID_CHARACTERS)) return false
  return act === undefined || isActor(act)
}

function isOneAction(value: Value): boolean {
  if (!isJsonArray(value) || value.length !== 1) return false
  const [action] = value
  return isJsonObject(action) && Object.hasOwn(action, 'type') && isText(action.type)
}
