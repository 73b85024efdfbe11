import type { RegisteredDelegation, Registry } from '../../admin-ports.ts'
import type { ConsentModel } from '../../consent-ports.ts'
import type { ApprovalRule } from '../../core/delegation/approval-rule.ts'
import { widening } from '../../core/delegation/widening.ts'
import type { JsonValue } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import {
  type DelegationRequest,
  type GrantPorts,
  judgeGrant,
  readBounds,
  subjectOf,
  writeGrant,
} from '../judge-grant.ts'
import { ANSWERED } from './consents.ts'

export interface DelegatePorts extends GrantPorts {
  readonly registry: Pick<Registry, 'change'>
}

/** A delegation that a principal grants in a browser. */
export interface PrincipalGrant extends DelegationRequest {
  readonly approval?: ApprovalRule | undefined
  /** What the agent asked for: what is granted may be narrower, never wider. */
  readonly asked: readonly JsonValue[]
  /** What is answered by it: once. */
  readonly consent: { readonly model: ConsentModel; readonly handle: string }
  /** Where the principal is signed in. */
  readonly loginId: string
  /** By which grant the agent asked. */
  readonly flow: string
  readonly requestId: string
}

/**
 * A principal lets an agent act for him: the end of every consent.
 *
 * Judged as what an administrator grants is, and moreover within what was asked for: a page that was tampered with can make
 * it narrower or be refused.
 */
export async function delegate(ports: DelegatePorts, grant: PrincipalGrant): Promise<RegisteredDelegation | Refusal> {
  const { asked, consent, loginId, flow, requestId, ...request } = grant
  // Step 1: may it be, as it is written?
  if (request.authorizationDetails.length === 0) {
    return refuse('member_invalid', 'must name at least one bound', 'authorization_details')
  }
  const judged = await judgeGrant(ports, request)
  if (isRefusal(judged)) return judged

  // Step 2: is it within what the agent asked for? Both under the types as they are now.
  const parents = await readBounds(ports, asked, request.resource)
  if (isRefusal(parents)) return parents
  const wider = widening(judged.bounds, parents)
  if (wider !== undefined) {
    return refuse('delegation_not_permitted', 'is wider than what was asked for', wider.member)
  }

  return ports.registry.change(async (writer) => {
    // Step 3: was it answered before, in another tab? The database decides, so that of two at once one counts.
    if (!(await writer.takeConsent(consent.model, consent.handle))) return ANSWERED

    // Step 4: are both, and every place, there and active?
    const stored = await writeGrant(ports, writer, judged, { grantedBy: 'principal' })
    if (isRefusal(stored)) return stored

    // Step 5: who did it, where, and by which way it was asked.
    await writer.records.add({
      ...{ id: ports.ids.recordId(), kind: 'principal', client: null, requestId },
      ...{ operation: 'delegation.grant', target: stored.id, login: loginId, flow, ...subjectOf(stored) },
    })
    return stored
  })
}
