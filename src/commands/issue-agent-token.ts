import type { AgentTokens } from '../attestation-ports.ts'
import type { Client } from '../core/agent/client.ts'
import type { Clock, Ids, Signer } from '../ports.ts'

export interface AgentTokenPorts {
  readonly now: Clock
  readonly ids: Ids
  readonly issuer: string
  readonly signer: Pick<Signer, 'signAccessToken'>
  readonly agentTokens: AgentTokens
  /** Unit: seconds. */
  readonly clientTokenSeconds: number
}

/**
 * Issues the agent token of an agent that authenticated by an attestation.
 *
 * DECISION: ours and not oidc-provider's, which takes an attestation only with a nonce in the proof. The claims are those that
 * the library makes of `private_key_jwt` (test/http/oauth/attestation.test.ts compares them).
 *
 * @throws when a port fails: then nothing was issued.
 */
export async function issueAgentToken(
  ports: AgentTokenPorts,
  { client, jkt, requestId }: { readonly client: Client; readonly jkt: string; readonly requestId: string },
): Promise<{ readonly token: string; readonly expiresInSeconds: number }> {
  const iat = Math.floor(ports.now().getTime() / 1_000)
  const exp = iat + ports.clientTokenSeconds
  const jti = ports.ids.random()
  // Recorded before it is signed.
  await ports.agentTokens.recordClientToken({ jti, client, jkt, scope: '', iat, exp, requestId })
  const { issuer: iss } = ports
  const claims = {
    jti,
    sub: client.id,
    iat,
    exp,
    client_id: client.id,
    iss,
    aud: iss,
    cnf: { jkt },
    token_use: 'agent',
  }
  return { token: await ports.signer.signAccessToken(JSON.stringify(claims)), expiresInSeconds: exp - iat }
}
