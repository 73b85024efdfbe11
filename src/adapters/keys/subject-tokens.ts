import { LRUCache } from 'lru-cache'
import type { Delegation } from '../../core/delegation/delegation.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, refuse } from '../../core/refusal.ts'
import type { SubjectToken, SubjectTokens } from '../../ports.ts'
import { buildAccessToken, verifyAccessToken } from '../../wire/access-token.ts'
import type { SubjectTokenClaims } from '../../wire/access-token-claims.ts'
import { type SigningKeys, tokenSigner } from './signing-keys.ts'

const REMEMBERED_TOKENS = 100_000

/** What a subject token says of a delegation. */
export type NamedDelegation = Pick<Delegation, 'id' | 'agentId' | 'expiresAt'> & {
  readonly principal: { readonly id: string }
  readonly createdAt: Date
}

export interface SubjectTokenKeeper extends SubjectTokens {
  /** Signs the subject token of a delegation. It names a delegation and is no bearer secret. */
  readonly sign: (delegation: NamedDelegation) => string
  /** What is signed, for whoever signs it with the same keys. */
  readonly claims: (delegation: NamedDelegation) => SubjectTokenClaims
}

/** Subject tokens: `at+jwt` for this server itself, naming principal, agent and delegation (RFC 8693 §4.4 `may_act`). */
export function subjectTokens(issuer: string, keys: SigningKeys): SubjectTokenKeeper {
  // An agent presents the same token with every call; its signature is checked once, its times and its key every time.
  const remembered = new LRUCache<string, SubjectToken & { readonly kid: string; readonly exp: number }>({
    max: REMEMBERED_TOKENS,
  })
  const claims = (delegation: NamedDelegation): SubjectTokenClaims => ({
    iss: issuer,
    aud: issuer,
    sub: delegation.principal.id,
    client_id: delegation.agentId,
    may_act: { sub: delegation.agentId },
    token_use: 'subject',
    jti: delegation.id,
    iat: Math.floor(delegation.createdAt.getTime() / 1_000),
    exp: Math.floor(delegation.expiresAt.getTime() / 1_000),
  })
  return {
    claims,
    sign: (delegation) => buildAccessToken(claims(delegation), tokenSigner(keys)),
    verify: async (token, now) => {
      const digest = sha256Base64url(token)
      const known = remembered.get(digest)
      if (known !== undefined && keys.verificationKey(known.kid) !== undefined && known.exp * 1_000 > now.getTime()) {
        return known
      }
      let kid = ''
      const claims = verifyAccessToken(token, {
        use: 'subject',
        issuer,
        audience: issuer,
        now,
        keys: (named) => {
          kid = named
          return keys.verificationKey(named)
        },
      })
      if (isRefusal(claims)) return refuse('subject_token_invalid', `"subject_token": ${claims.detail}`)
      // `client_id` and `may_act` name the same agent, or the token is none of ours.
      if (claims.client_id !== claims.may_act.sub) {
        return refuse('subject_token_invalid', '"subject_token" names two agents')
      }
      const subject = {
        delegationId: claims.jti,
        principalId: claims.sub,
        agentId: claims.may_act.sub,
        kid,
        exp: claims.exp,
      }
      remembered.set(digest, subject)
      return subject
    },
  }
}
