import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'
import { endDelegation } from './revoke-delegation.ts'

export interface RevokedToken {
  readonly jti: string
  /** After this moment it would have been worth nothing anyway. */
  readonly expiresAt: Date
}

/** Withdraws one token that this server has issued, known by its `jti`. */
export async function revokeToken(
  ports: AdminPorts,
  call: ChangeCall<RevokedToken>,
  jti: string,
  reason: string | undefined,
): Promise<RevokedToken | Refusal> {
  return call.change(async (writer) => {
    // The `jti` of a subject token is its delegation's id, and the delegation is what it stands for.
    const delegation = await endDelegation(ports, call, writer, jti, reason)
    if (delegation !== undefined) return { jti, expiresAt: delegation.expiresAt }

    const issued = await writer.records.issuanceOf(jti)
    if (issued?.tokenExpiresAt == null) return refuse('not_found', 'no token of this "jti" was issued')
    await writer.revokeToken(jti, issued.tokenExpiresAt, `admin:${call.administrator.clientId}`)
    await recordDeed(ports, call, writer, {
      operation: 'token.revoke',
      target: jti,
      reason,
      agent: issued.agent ?? undefined,
      principal: issued.principal ?? undefined,
      delegation: issued.delegation ?? undefined,
      resource: issued.resource ?? undefined,
      actionType: issued.actionType ?? undefined,
    })
    return { jti, expiresAt: issued.tokenExpiresAt }
  })
}
