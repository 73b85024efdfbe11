import { type AgentInstance, type Client, isKeyCurrent } from '../../core/agent/client.ts'
import { isRefusal, type ProofRefusalCode, type Refusal, refuse } from '../../core/refusal.ts'
import type { Authentication, ClientEvidence, Directory, Freshness, ReplayMark, Unauthenticated } from '../../ports.ts'
import type { Proof } from '../../wire/dpop.ts'
import type { AttestationVerifier } from './attestations.ts'

export const CLIENT_ID = /^[a-z0-9._-]{1,255}$/

export interface AttestedParts {
  readonly directory: Pick<Directory, 'client' | 'instance'>
  readonly attestations: AttestationVerifier
  readonly checkKeyProof: CheckKeyProof
}

/** Checks the one proof of a request in full, but for its replay at other processes: the commit finds that by the mark. */
export type CheckKeyProof = (
  evidence: ClientEvidence,
  isExpectedKey: (jkt: string) => boolean,
  now: Date,
) => { readonly proof: Proof; readonly mark: ReplayMark } | Refusal<ProofRefusalCode>

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
  const proved = checkKeyProof(evidence, (thumbprint) => thumbprint === jkt, now)
  // If both fail, the client is what is wrong.
  if (isRefusal(proved)) {
    if (isRefusal(holder)) return stranger(holder)
    // What was used before is put down to whose it was, as it is when the database finds it.
    return proved.code === 'proof_replayed' && client !== undefined
      ? { refusal: proved, client, marks: [] }
      : stranger(proved)
  }
  if (client === undefined) return stranger(UNKNOWN)
  // As old as the attestation that it came with: what was made before a restore is refused by the commit.
  const { kind, key, until, issuedAt } = proved.mark
  const marks = [{ kind, key, until, issuedAt: Math.min(issuedAt, attested.iat) }]
  if (isRefusal(holder)) return { refusal: holder, client, marks }
  const { assertionKid, instance } = holder
  return { client, assertionKid, instance, jkt, jwk: proved.proof.jwk, by: 'attestation', marks }
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
