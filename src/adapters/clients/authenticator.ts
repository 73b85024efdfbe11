import { isKeyCurrent } from '../../core/agent/client.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Authenticator, ClientEvidence, Directory, ProofMode, ReplayMark } from '../../ports.ts'
import {
  checkAssertion,
  readAssertion,
  type UnverifiedAssertion,
  verifyAssertion,
} from '../../wire/client-assertion.ts'
import { checkProof } from '../../wire/dpop.ts'
import type { KeyObjectCache } from '../../wire/key-object-cache.ts'
import type { AttestationVerifier } from './attestations.ts'
import { authenticateAttested, type CheckKeyProof, CLIENT_ID } from './attested.ts'
import type { NonceKeeper } from './nonces.ts'
import { assertionMark, proofMark } from './replay-marks.ts'
import type { UsedEvidence } from './used-evidence.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export interface AuthenticatorParts {
  readonly issuer: string
  readonly directory: Pick<Directory, 'client' | 'instance'>
  readonly keys: KeyObjectCache
  readonly attestations: AttestationVerifier
  readonly used: Pick<UsedEvidence, 'has'>
  /** Undefined: no nonce is required. */
  readonly nonces: NonceKeeper | undefined
}

/**
 * Authenticates clients by `private_key_jwt` (RFC 7523 §2.2) and a DPoP proof by a registered key (RFC 9449), or by an
 * attestation and a DPoP proof by the attested key.
 *
 * The assertion is judged in full before the proof is looked at: if both fail, the client is what is wrong.
 */
export function authenticator(parts: AuthenticatorParts): Authenticator {
  const { issuer, directory, keys, attestations, used, nonces } = parts
  const checkKeyProof: CheckKeyProof = (evidence, isExpectedKey, now) => {
    let mark: ReplayMark | undefined
    const proof = checkProof(
      {
        values: evidence.proofs,
        method: evidence.target.method,
        htu: evidence.target.url,
        now,
        accessToken: undefined,
        isExpectedKey,
        isExpectedNonce: nonces === undefined ? undefined : (nonce) => nonces.isExpected(nonce, now),
        isUsed: (read) => {
          mark = proofMark(read)
          return used.has(mark)
        },
      },
      keys,
    )
    return isRefusal(proof) ? proof : { proof, mark: mark ?? proofMark(proof) }
  }

  return {
    authenticate: async (evidence, proofMode, wanted, now) => {
      if (evidence.attestation !== undefined) {
        return authenticateAttested({ directory, attestations, checkKeyProof }, evidence, wanted, now)
      }
      const asserted = readEvidence(evidence)
      if (isRefusal(asserted)) return { refusal: asserted, marks: [] }
      const claims = checkAssertion(asserted, { clientId: asserted.iss, issuer, now })
      if (isRefusal(claims)) return { refusal: claims, marks: [] }

      // A key that is not among the cached ones may have been registered a moment ago: a "no" is read afresh.
      for (const freshness of wanted === 'fresh' ? (['fresh'] as const) : (['cached', 'fresh'] as const)) {
        const client = await directory.client(claims.clientId, freshness)
        const mark = assertionMark(claims)
        const marks: readonly ReplayMark[] = [mark]
        // Of somebody who once had it: that is enough to say no, and to say on whose account.
        if (client?.status === 'active' && used.has(mark)) {
          return { refusal: refuse('assertion_replayed', 'the client assertion was used before'), client, marks }
        }
        const active = client?.keys.filter((key) => isKeyCurrent(key, now)) ?? []
        const signer =
          client === undefined ? refuse('client_unknown', 'unknown client') : verifyAssertion(asserted, active, keys)
        if (client === undefined || isRefusal(signer)) {
          if (freshness === 'cached') continue
          return { refusal: signer as Refusal, marks: [] }
        }
        const refused = (refusal: Refusal) => ({ refusal, client, marks })
        if (client.status !== 'active') {
          if (freshness === 'cached') continue
          return refused(refuse('client_inactive', 'the client is not active'))
        }
        const { kid: assertionKid } = signer
        const { confirmedJkt } = claims
        if (proofMode === 'when_present' && evidence.proofs.length === 0) {
          // What is good with one key alone is no good with none.
          return confirmedJkt === undefined
            ? { client, assertionKid, marks }
            : refused(refuse('proof_missing', 'the assertion names a key, so a DPoP proof is required'))
        }

        const registered = new Set(active.map(({ kid }) => kid))
        const proved = checkKeyProof(evidence, expectedKey(registered, confirmedJkt, proofMode), now)
        if (isRefusal(proved)) {
          if (proved.code === 'proof_key_mismatch' && freshness === 'cached') continue
          return refused(proved)
        }
        const { jkt, jwk } = proved.proof
        const both = [mark, proved.mark]
        return registered.has(jkt)
          ? { client, assertionKid, jkt, jwk, marks: both }
          : { client, assertionKid, jkt, jwk, marks: both, by: 'vouched' }
      }
      return { refusal: refuse('client_unknown', 'unknown client'), marks: [] }
    },
  }
}

/** Which keys may prove themselves: registered ones, and of those the one that the assertion names, if it names one. */
function expectedKey(registered: ReadonlySet<string>, confirmedJkt: string | undefined, mode: ProofMode) {
  return (jkt: string) =>
    confirmedJkt === undefined
      ? registered.has(jkt)
      : jkt === confirmedJkt && (mode === 'vouched' || registered.has(jkt))
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
