import { isKeyCurrent } from '../../core/agent/client.ts'
import { sha256Hex } from '../../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Authenticator, ClientEvidence, Directory, ReplayMark } from '../../ports.ts'
import {
  type AssertionClaims,
  checkAssertion,
  readAssertion,
  type UnverifiedAssertion,
  verifyAssertion,
} from '../../wire/client-assertion.ts'
import { checkProof, type Proof } from '../../wire/dpop.ts'
import type { KeyObjectCache } from '../../wire/key-object-cache.ts'
import type { NonceKeeper } from './nonces.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const CLIENT_ID = /^[a-z0-9._-]{1,255}$/

export interface AuthenticatorParts {
  readonly issuer: string
  readonly directory: Pick<Directory, 'client'>
  readonly keys: KeyObjectCache
  /** Undefined: no nonce is required. */
  readonly nonces: NonceKeeper | undefined
}

/**
 * Authenticates clients by `private_key_jwt` (RFC 7523 §2.2) and a DPoP proof by a registered key (RFC 9449).
 *
 * The assertion is judged in full before the proof is looked at: if both fail, the client is what is wrong.
 */
export function authenticator({ issuer, directory, keys, nonces }: AuthenticatorParts): Authenticator {
  const checkKeyProof = (evidence: ClientEvidence, kids: ReadonlySet<string>, now: Date) =>
    checkProof(
      {
        values: evidence.proofs,
        method: evidence.target.method,
        htu: evidence.target.url,
        now,
        accessToken: undefined,
        isExpectedKey: (jkt) => kids.has(jkt),
        isExpectedNonce: nonces === undefined ? undefined : (nonce) => nonces.isExpected(nonce, now),
      },
      keys,
    )

  return {
    authenticate: async (evidence, proofMode, wanted, now) => {
      const asserted = readEvidence(evidence)
      if (isRefusal(asserted)) return { refusal: asserted, marks: [] }
      const claims = checkAssertion(asserted, { clientId: asserted.iss, issuer, now })
      if (isRefusal(claims)) return { refusal: claims, marks: [] }

      // A key that is not among the cached ones may have been registered a moment ago: a "no" is read afresh.
      for (const freshness of wanted === 'fresh' ? (['fresh'] as const) : (['cached', 'fresh'] as const)) {
        const client = await directory.client(claims.clientId, freshness)
        const active = client?.keys.filter((key) => isKeyCurrent(key, now)) ?? []
        const signer =
          client === undefined ? refuse('client_unknown', 'unknown client') : verifyAssertion(asserted, active, keys)
        if (client === undefined || isRefusal(signer)) {
          if (freshness === 'cached') continue
          return { refusal: signer as Refusal, marks: [] }
        }
        const marks: ReplayMark[] = [assertionMark(claims)]
        const refused = (refusal: Refusal) => ({ refusal, client, marks })
        if (client.status !== 'active') {
          if (freshness === 'cached') continue
          return refused(refuse('client_inactive', 'the client is not active'))
        }
        const authenticated = { client, assertionKid: signer.kid }
        if (proofMode === 'when_present' && evidence.proofs.length === 0) return { ...authenticated, marks }

        const proof = checkKeyProof(evidence, new Set(active.map(({ kid }) => kid)), now)
        if (isRefusal(proof)) {
          if (proof.code === 'proof_key_mismatch' && freshness === 'cached') continue
          return refused(proof)
        }
        return { ...authenticated, jkt: proof.jkt, marks: [...marks, proofMark(proof)] }
      }
      return { refusal: refuse('client_unknown', 'unknown client'), marks: [] }
    },
  }
}

/** What can be refused without looking anything up. */
function readEvidence(evidence: ClientEvidence): UnverifiedAssertion | Refusal {
  if (evidence.assertion !== undefined && evidence.assertionType !== ASSERTION_TYPE) {
    return refuse('request_malformed', '"client_assertion_type" is missing or not supported')
  }
  const assertion = readAssertion(evidence.assertion)
  if (isRefusal(assertion)) return assertion
  if (evidence.clientId !== undefined && evidence.clientId !== assertion.iss) {
    return refuse('assertion_invalid', '"client_id" is not the client of the assertion')
  }
  if (!CLIENT_ID.test(assertion.iss)) return refuse('client_unknown', 'unknown client')
  return assertion
}

/** One key function for every door that takes an assertion: client and `jti`. */
export function assertionMark({ clientId, jti, iat, rememberUntil }: AssertionClaims): ReplayMark {
  return { kind: 'assertion', key: markKey('assertion', clientId, jti), until: rememberUntil, issuedAt: iat }
}

/** One key function for every door that takes a proof: key and `jti` (RFC 9449 §11.1). */
export function proofMark({ jkt, jti, iat, rememberUntil }: Proof): ReplayMark {
  return { kind: 'proof', key: markKey('proof', jkt, jti), until: rememberUntil, issuedAt: iat }
}

/** The parts are told apart by a byte that neither a client id nor a thumbprint can hold. */
const markKey = (kind: string, owner: string, jti: string): string => sha256Hex(`${kind}\n${owner}\n${jti}`)
