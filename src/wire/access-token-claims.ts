import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../core/json.ts'

/** What an access token of ours is for. An action token is the only one that is used at a resource server. */
export type TokenUse = 'action' | 'agent' | 'resource' | 'subject' | 'admin'

const Id = z.string().min(1).max(255)
const Text = z.string().min(1).max(2_048)
const NumericDate = z.number().min(0).max(Number.MAX_SAFE_INTEGER)

/** The key the token is bound to (RFC 9449 §6.1). */
const Confirmation = z.looseObject({ jkt: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })

/** Who acts: the current actor outermost (RFC 8693 §4.1). */
const ActorClaim = z.looseObject({
  iss: Text.optional(),
  sub: Id,
  sub_profile: z.string().max(255).optional(),
  get act() {
    return ActorClaim.optional()
  },
})

/** What every JWT access token has (RFC 9068 §2.2), whatever its use. `aud` is one string: one token, one place. */
const registered = {
  iss: Text,
  aud: Text,
  sub: Text,
  client_id: Id,
  jti: Id,
  /** Unit: seconds since the epoch, like `exp` and `nbf`. */
  iat: NumericDate,
  exp: NumericDate,
  nbf: NumericDate.optional(),
}

/** One `authorization_details` element. Its members are the action's own; it is compared whole (RFC 9396 §2). */
const AuthorizationDetail = z.custom<JsonObject & { readonly type: string }>(
  (value) =>
    isJsonObject(value as JsonObject) &&
    Object.hasOwn(value as JsonObject, 'type') &&
    isName((value as JsonObject).type),
)

/** The per-call token: one action, bound to the agent's key. It has no `token_use`. */
export const ActionTokenClaims = z.looseObject({
  ...registered,
  token_use: z.undefined().optional(),
  cnf: Confirmation,
  act: ActorClaim,
  /** Exactly one element: one token, one action (RFC 9396 §2). */
  authorization_details: z.tuple([AuthorizationDetail]),
  delegation_id: Id,
  txn: Id,
  turn: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .optional(),
})
export type ActionTokenClaims = z.infer<typeof ActionTokenClaims>

/** What an agent calls the server itself with. */
export const AgentTokenClaims = z.looseObject({ ...registered, token_use: z.literal('agent'), cnf: Confirmation })
export type AgentTokenClaims = z.infer<typeof AgentTokenClaims>

/** What a resource server calls the server itself with: to follow the revocation feed. */
export const ResourceTokenClaims = z.looseObject({ ...registered, token_use: z.literal('resource'), cnf: Confirmation })

/** Names a delegation. No bearer secret: only the agent it names can use it, so it is bound to no key. */
export const SubjectTokenClaims = z.looseObject({
  ...registered,
  token_use: z.literal('subject'),
  may_act: z.looseObject({ sub: Id }),
})
export type SubjectTokenClaims = z.infer<typeof SubjectTokenClaims>

/** What an administrator's client calls the admin API with. */
export const AdminTokenClaims = z.looseObject({
  ...registered,
  token_use: z.literal('admin'),
  cnf: Confirmation,
  scope: Text,
})
export type AdminTokenClaims = z.infer<typeof AdminTokenClaims>

/** The schema of each use. */
export const ACCESS_TOKEN_CLAIMS = {
  action: ActionTokenClaims,
  agent: AgentTokenClaims,
  resource: ResourceTokenClaims,
  subject: SubjectTokenClaims,
  admin: AdminTokenClaims,
} as const satisfies Record<TokenUse, z.ZodType>

/** The claims of one use. */
export type AccessTokenClaims<Use extends TokenUse = TokenUse> = z.infer<(typeof ACCESS_TOKEN_CLAIMS)[Use]>

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= 2_048
}
