import type { AttestationSigner, Attestations } from '../attestation-ports.ts'
import { sha256Base64url } from '../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { ClientAttestationClaims } from '../core/token/client-attestation.ts'
import {
  type AuthenticatedClient,
  type AuthenticatePorts,
  authenticateClient,
  type ClientEvidence,
} from './authenticate-client.ts'
import { refuseWhileStopped, type StopPorts } from './refuse-while-stopped.ts'

export interface AttestPorts extends AuthenticatePorts, StopPorts {
  readonly issuer: string
  readonly attestations: Attestations
  readonly signer: AttestationSigner
  /** How long an attestation is good. Unit: seconds. */
  readonly attestationSeconds: number
  /** How long an instance may act after a registered key vouched for it. Unit: seconds. */
  readonly instanceSeconds: number
  /** Instances of one agent that may be in force at once. */
  readonly maxInstances: number
}

export type AttestOutcome =
  | {
      readonly refusal?: never
      readonly attestation: string
      readonly expiresInSeconds: number
      /** Of an instance: when it ends, however often it is attested until then. */
      readonly instance?: { readonly kid: string; readonly expiresAt: Date }
    }
  | { readonly refusal: Refusal; readonly isClientKnown: boolean; readonly decisionId?: string }

/**
 * Attests the key that an agent proves: a registered one, one that a registered one vouches for in the assertion, or an instance
 * once more until its end.
 *
 * @throws only when a port fails: then nothing was attested.
 */
export async function attestAgent(
  ports: AttestPorts,
  evidence: ClientEvidence,
  requestId: string,
): Promise<AttestOutcome> {
  // Step 1: who is asking, by which key? An assertion may name one that nobody has registered; an attestation may not.
  const authenticated = await authenticateClient(ports, evidence, 'vouched', requestId)
  if (authenticated.refusal !== undefined) return authenticated
  const { client, assertionKid, jkt, jwk } = authenticated
  const attemptId = ports.ids.recordId()
  const no = async (refusal: Refusal): Promise<AttestOutcome> => {
    const about = {
      client: client.id,
      ...(client.kind === 'agent' && { agent: client.id }),
      ...(jkt !== undefined && { jkt }),
    }
    const { code, detail } = refusal
    const record = { ...about, id: attemptId, kind: 'attestation' as const, refusal: code, detail, requestId }
    const committed = await ports.issuance.commit({ attemptId, marks: [], decision: 'refused', record })
    const isStored = committed.outcome === 'committed' && committed.isStored
    return { refusal, isClientKnown: true, ...(isStored && { decisionId: attemptId }) }
  }
  if (client.kind !== 'agent') return no(refuse('grant_not_allowed', 'only an agent is attested'))
  if (jkt === undefined || jwk === undefined) throw new Error('an endpoint that asks for a proof let one pass without')
  const stopped = await refuseWhileStopped(ports, client)
  if (stopped !== undefined) return no(stopped)

  // Step 2: until when? Never longer than the key itself.
  const now = ports.now()
  const iat = Math.floor(now.getTime() / 1_000)
  const instanceUntil = endOfInstance(authenticated, new Date((iat + ports.instanceSeconds) * 1_000))
  const keyUntil = instanceUntil ?? client.keys.find(({ kid }) => kid === jkt)?.expiresAt
  const exp = Math.min(iat + ports.attestationSeconds, Math.floor((keyUntil?.getTime() ?? Infinity) / 1_000))
  if (exp <= iat) return no(refuse('attestation_invalid', 'the attested key expires now'))
  const claims: ClientAttestationClaims = {
    ...{ iss: ports.issuer, sub: client.id, cnf: { jwk } },
    ...{ jti: ports.ids.random(), iat, exp },
  }

  // Step 3: write it down, and look again whether agent and keys stand, in the same transaction.
  const claimsJson = JSON.stringify(claims)
  const recorded = await ports.attestations.record({
    ...{ recordId: attemptId, requestId, agentId: client.id, assertionKid, jkt, jti: claims.jti, iat, exp },
    claimsDigest: sha256Base64url(claimsJson),
    ...(authenticated.by === 'vouched' &&
      instanceUntil !== undefined && { vouched: { jwk, until: instanceUntil, maxInstances: ports.maxInstances } }),
  })
  if (isRefusal(recorded)) return no(recorded)

  // Step 4: sign exactly what was recorded.
  const attestation = await ports.signer.signClientAttestation(claimsJson)
  const instance = instanceUntil && { kid: jkt, expiresAt: instanceUntil }
  return { attestation, expiresInSeconds: exp - iat, ...(instance !== undefined && { instance }) }
}

/** When the instance ends that is attested; undefined for a registered key. Not after the key that vouches for it. */
function endOfInstance({ by, client, assertionKid, instance }: AuthenticatedClient, longest: Date): Date | undefined {
  if (by !== 'vouched') return instance?.expiresAt
  const voucherUntil = client.keys.find(({ kid }) => kid === assertionKid)?.expiresAt
  return voucherUntil !== undefined && voucherUntil < longest ? voucherUntil : longest
}
