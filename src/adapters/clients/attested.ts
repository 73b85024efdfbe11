import { type AgentInstance, type Client, isKeyCurrent } from '../../core/agent/client.ts'
import { isRefusal, type ProofRefusalCode, type Refusal, refuse } from '../../core/refusal.ts'
import type { Authentication, ClientEvidence, Directory, Freshness, Unauthenticated } from '../../ports.ts'
import type { Proof } from '../../wire/dpop.ts'
import type { AttestationVerifier } from './attestations.ts'
import { proofMark } from './replay-marks.ts'

export const CLIENT_ID = /^[a-z0-9._-]{1,255}$/

export interface AttestedParts {
  readonly directory: Pick<Directory, 'client' | 'instance'>
  readonly attestations: AttestationVerifier
  readonly checkKeyProof: (
    evidence: ClientEvidence,
    isExpectedKey: (jkt: string) => boolean,
    now: Date,
  ) => Proof | Refusal<ProofRefusalCode>
}

/**
 * Authenticates an agent by an attestation of ours and a DPoP proof by the attested key, which is its proof of possession
 * (draft-ietf-oauth-attestation-based-client-auth-12 §DPoP Combined Mode).
 *
 * An attestation is shown again and again, so whoever cannot prove its key is a stranger: nothing that he gets wrong is put
 * down to the agent.
 */
export async function authenticateAttested(
  { directory, attestations, checkKeyProof }: AttestedParts,
  evidence: ClientEvidence,
  wanted: Freshness,
  now: Date,
): Promise<Authentication | Unauthenticated> {
  const stranger = (refusal: Refusal): Unauthenticated => ({ refusal, marks: [] })
  const attested = await attestations.verify(evidence.attestation ?? '', now)
  if (isRefusal(attested)) return stranger(attested)
  const { clientId, jkt } = attested
  if ((evidence.clientId ?? clientId) !== clientId) {
    return stranger(refuse('attestation_invalid', '"client_id" is not the client of the attestation'))
  }
  if (!CLIENT_ID.test(clientId)) return stranger(UNKNOWN)

  let client: Client | undefined
  let holder: KeyHolder | Refusal = UNKNOWN
  // A "no" is read afresh: an instance may have been added a moment ago. And so is what stands behind an attestation that is new
  // here: another key may have vouched for the instance since, and the one that is remembered may be retired.
  const mayBeOld = wanted === 'cached' && attested.isLookedUp
  for (const freshness of mayBeOld ? (['cached', 'fresh'] as const) : (['fresh'] as const)) {
    client = await directory.client(clientId, freshness)
    holder = client === undefined ? UNKNOWN : await keyHolder(directory, client, jkt, freshness, now)
    if (!isRefusal(holder)) break
  }
  if (!isRefusal(holder)) attested.isLookedUp = true
  const proof = checkKeyProof(evidence, (proved) => proved === jkt, now)
  // If both fail, the client is what is wrong.
  if (isRefusal(proof)) {
    if (isRefusal(holder)) return stranger(holder)
    // What was used before is put down to whose it was, as it is when the database finds it.
    return proof.code === 'proof_replayed' && client !== undefined
      ? { refusal: proof, client, marks: [] }
      : stranger(proof)
  }
  if (client === undefined) return stranger(UNKNOWN)
  // As old as the attestation that it came with: what was made before a restore is refused by the commit.
  const marks = [{ ...proofMark(proof), issuedAt: Math.min(proof.iat, attested.iat) }]
  if (isRefusal(holder)) return { refusal: holder, client, marks }
  return { client, ...holder, jkt, jwk: proof.jwk, by: 'attestation', marks }
}

interface KeyHolder {
  readonly assertionKid: string
  readonly instance?: AgentInstance
}

/** The registered key that stands behind an attested one: it itself, or the one that vouched for the instance. */
async function keyHolder(
  directory: AttestedParts['directory'],
  client: Client,
  jkt: string,
  freshness: Freshness,
  now: Date,
): Promise<KeyHolder | Refusal> {
  if (client.kind !== 'agent') return refuse('attestation_invalid', 'only an agent is attested')
  if (client.status !== 'active') return refuse('client_inactive', 'the client is not active')
  const isActive = (kid: string) => client.keys.some((key) => key.kid === kid && isKeyCurrent(key, now))
  if (isActive(jkt)) return { assertionKid: jkt }
  const instance = await directory.instance(client.id, jkt, freshness)
  return instance !== undefined && isKeyCurrent(instance, now) && isActive(instance.vouchedBy)
    ? { assertionKid: instance.vouchedBy, instance }
    : refuse('attestation_invalid', 'the attested key is not active')
}

const UNKNOWN = refuse('client_unknown', 'unknown client')
