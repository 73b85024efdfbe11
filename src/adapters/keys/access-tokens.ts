import type { JsonObject } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { ActionTokens, AdminTokens, RevocableToken, RevocableTokens } from '../../ports.ts'
import { readAccessToken, verifyAccessToken } from '../../wire/access-token.ts'
import { checkProof } from '../../wire/dpop.ts'
import type { KeyObjectCache } from '../../wire/key-object-cache.ts'
import { proofMark } from '../clients/authenticator.ts'
import type { NonceKeeper } from '../clients/nonces.ts'
import type { SigningKeys } from './signing-keys.ts'

/** Action tokens that come back for introspection. */
export function actionTokens(issuer: string, keys: SigningKeys): ActionTokens {
  return {
    verify: (token, audience, now) => {
      const claims = verifyAccessToken(token, { use: 'action', issuer, audience, now, keys: keys.verificationKey })
      // Parsed by the strict scanner when it was verified, so it is JSON throughout.
      return isRefusal(claims) ? claims : { jti: claims.jti, json: claims as unknown as JsonObject }
    },
  }
}

/** Tokens that come back to be revoked: whose use they themselves say, and are then held to. */
export function revocableTokens(issuer: string, keys: SigningKeys): RevocableTokens {
  return {
    read: (token, now): RevocableToken | Refusal => {
      const read = readAccessToken(token)
      if (isRefusal(read)) return read
      const { aud, token_use } = read.jws.payload
      const expected = { issuer, now, keys: keys.verificationKey }
      if (token_use === 'agent') {
        const claims = verifyAccessToken(token, { ...expected, use: 'agent', audience: issuer })
        return isRefusal(claims)
          ? claims
          : { use: 'agent', jti: claims.jti, clientId: claims.client_id, exp: claims.exp }
      }
      if (token_use === 'subject') {
        const claims = verifyAccessToken(token, { ...expected, use: 'subject', audience: issuer })
        return isRefusal(claims)
          ? claims
          : { use: 'subject', jti: claims.jti, clientId: claims.may_act.sub, exp: claims.exp }
      }
      if (token_use !== undefined || typeof aud !== 'string') return refuse('token_invalid', 'not a revocable token')
      const claims = verifyAccessToken(token, { ...expected, use: 'action', audience: aud })
      return isRefusal(claims)
        ? claims
        : { use: 'action', jti: claims.jti, clientId: claims.client_id, exp: claims.exp }
    },
  }
}

export interface AdminTokenParts {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly proofKeys: KeyObjectCache
  readonly nonces: NonceKeeper | undefined
  readonly isRevoked: AdminTokens['isRevoked']
}

/** Administrators' tokens, each with a proof by the key it is bound to (RFC 9449 §7.1). */
export function adminTokens({ issuer, keys, proofKeys, nonces, isRevoked }: AdminTokenParts): AdminTokens {
  return {
    isRevoked,
    verify: ({ token, proofs, method, url }, now) => {
      const claims = verifyAccessToken(token, {
        use: 'admin',
        issuer,
        audience: issuer,
        now,
        keys: keys.verificationKey,
      })
      if (isRefusal(claims)) return claims
      const proof = checkProof(
        {
          values: proofs,
          method,
          htu: url,
          now,
          accessToken: token,
          isExpectedKey: (jkt) => jkt === claims.cnf.jkt,
          isExpectedNonce: nonces === undefined ? undefined : (nonce) => nonces.isExpected(nonce, now),
        },
        proofKeys,
      )
      if (isRefusal(proof)) return proof
      const facts = { clientId: claims.client_id, jti: claims.jti, jkt: proof.jkt, scope: claims.scope.split(' ') }
      return { facts, marks: [proofMark(proof)] }
    },
  }
}
