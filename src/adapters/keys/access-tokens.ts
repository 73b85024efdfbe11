import type { ActorTokens } from '../../chain-ports.ts'
import type { ActorClaim } from '../../core/agent/actor-chain.ts'
import type { JsonObject } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { ActionTokens } from '../../introspection-ports.ts'
import type { ClientTokens, NewKeyProofs, RevocableToken, RevocableTokens } from '../../ports.ts'
import {
  checkTokenClaims,
  checkTokenSignature,
  readAccessToken,
  rememberHeader,
  verifyAccessToken,
} from '../../wire/access-token.ts'
import type { ActionTokenClaims } from '../../wire/access-token-claims.ts'
import { checkProof } from '../../wire/dpop.ts'
import { parsePublicJwk } from '../../wire/jwk.ts'
import type { KeyObjectCache } from '../../wire/key-object-cache.ts'
import type { NonceKeeper } from '../clients/nonces.ts'
import { proofMark } from '../clients/replay-marks.ts'
import type { SigningKeys } from './signing-keys.ts'

/** Action tokens that come back for introspection. */
export function actionTokens(issuer: string, keys: SigningKeys): ActionTokens {
  const read: ActionTokens['read'] = (token, audience, now) => {
    const unverified = readAccessToken(token)
    if (isRefusal(unverified)) return unverified
    const claims = checkTokenClaims(unverified, { use: 'action', issuer, audience, now })
    if (isRefusal(claims)) return claims
    const { jti, exp, txn, act } = claims
    return {
      jti,
      verify: () => {
        const key = keys.verificationKey(unverified.kid)
        // What this process signed itself needs a key that is still good, and no second look at the signature.
        const isOurs = key !== undefined && keys.signedHere(token)
        const refused = isOurs ? rememberHeader(unverified) : checkTokenSignature(unverified, key)
        // Parsed by the strict scanner when it was read, so it is JSON throughout.
        return refused ?? { jti, exp, txn, act: toActor(act, issuer), json: claims as unknown as JsonObject }
      },
    }
  }
  return {
    read,
    verify: (token, audience, now) => {
      const found = read(token, audience, now)
      return isRefusal(found) ? found : found.verify()
    },
  }
}

/** The actors as we write them. */
function toActor({ iss, sub, sub_profile, act }: ActionTokenClaims['act'], issuer: string): ActorClaim {
  return {
    ...{ iss: iss ?? issuer, sub },
    ...(sub_profile === 'ai_agent' && { sub_profile }),
    ...(act !== undefined && { act: toActor(act, issuer) }),
  }
}

/** Agent tokens that name the next actor of a chain (RFC 8693 §2.1): that they are live is asked of the database. */
export function actorTokens(issuer: string, keys: SigningKeys): ActorTokens {
  return {
    verify: (token, now) => {
      const expected = {
        use: 'agent',
        issuer,
        audience: issuer,
        now,
        skewSeconds: 0,
        keys: keys.verificationKey,
      } as const
      const claims = verifyAccessToken(token, expected)
      if (isRefusal(claims)) return refuse('actor_token_invalid', `"actor_token": ${claims.detail}`)
      const { client_id: agentId, jti, cnf, iat, exp } = claims
      return { agentId, jti, jkt: cnf.jkt, iat, exp }
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
          : { use: 'agent', jti: claims.jti, clientId: claims.client_id, jkt: claims.cnf.jkt, exp: claims.exp }
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
        : { use: 'action', jti: claims.jti, clientId: claims.client_id, jkt: claims.cnf.jkt, exp: claims.exp }
    },
  }
}

export interface ClientTokenParts {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly proofKeys: KeyObjectCache
  readonly nonces: NonceKeeper | undefined
  readonly isRevoked: ClientTokens['isRevoked']
}

/** Tokens for this server itself, each with a proof by the key it is bound to (RFC 9449 §7.1). */
export function clientTokens({ issuer, keys, proofKeys, nonces, isRevoked }: ClientTokenParts): ClientTokens {
  return {
    isRevoked,
    verify: (use, { token, proofs, method, url }, now) => {
      const claims = verifyAccessToken(token, { use, issuer, audience: issuer, now, keys: keys.verificationKey })
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
      const scope = claims.token_use === 'admin' ? claims.scope.split(' ') : []
      const facts = { clientId: claims.client_id, jti: claims.jti, jkt: proof.jkt, scope, iat: claims.iat }
      return { facts, marks: [proofMark(proof)] }
    },
  }
}

/** Proofs by keys that are about to be registered. */
export function newKeyProofs(proofKeys: KeyObjectCache, nonces: NonceKeeper | undefined): NewKeyProofs {
  return {
    check: ({ proofs, method, url }, now) => {
      const proof = checkProof(
        {
          values: proofs,
          method,
          htu: url,
          now,
          accessToken: undefined,
          isExpectedKey: undefined,
          isExpectedNonce: nonces === undefined ? undefined : (nonce) => nonces.isExpected(nonce, now),
        },
        proofKeys,
      )
      if (isRefusal(proof)) return proof
      // The signature shows that somebody holds the key; that it is a point of its curve is asked where it is kept.
      const jwk = parsePublicJwk(proof.jwk)
      if (isRefusal(jwk)) return refuse('proof_malformed', jwk.detail)
      return { jwk, kid: proof.jkt, mark: proofMark(proof) }
    },
  }
}
