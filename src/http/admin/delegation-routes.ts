import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { grantDelegation } from '../../commands/admin/grant-delegation.ts'
import { lookUpDelegation, lookUpDelegations } from '../../commands/admin/look-up.ts'
import type { RegisteredDelegation } from '../../commands/admin/registered.ts'
import { revokeDelegation } from '../../commands/admin/revoke-delegation.ts'
import { ApprovalDocument } from '../../core/delegation/approval-rule.ts'
import { DelegableDocument, delegableDocument } from '../../core/delegation/delegable.ts'
import { isDelegationCurrent } from '../../core/delegation/delegation.ts'
import { Limits } from '../../core/delegation/limits.ts'
import { limitsMember, limitsView, ShownLimits } from './limit-members.ts'
import { Id, Moment, ReasonOnly, Timestamp } from './members.ts'
import { change, type Exchange, list, type Route, type Shown, show } from './route.ts'

const DelegationGrant = z
  .strictObject({
    principal: Id,
    agent: Id,
    resource: z
      .string()
      .min(1)
      .max(2_048)
      .describe('A resource identifier; absent when each bound names its "locations".')
      .optional(),
    authorization_details: z
      .array(z.json())
      .min(1)
      .max(32)
      .meta({
        description: 'Bounds (RFC 9396 section 2). Each is judged by the action type that its "type" names.',
        examples: [[{ type: 'email_send', to: ['bob@example.com'], subject: { $any: true }, body: { $any: true } }]],
      }),
    limits: Limits.optional(),
    delegable: DelegableDocument.optional(),
    approval: ApprovalDocument.optional(),
    not_before: Timestamp.optional(),
    expires_at: Timestamp.describe('Absent: as late as the server allows. NumericDate.').optional(),
    purpose: z.string().min(1).max(500).describe("What it is for, in the administrator's words.").optional(),
  })
  .meta({ id: 'DelegationGrant' })

/** When somebody is asked before an action, as the API shows it. */
const ShownApproval = z
  .object({
    mode: z.enum(['none', 'each', 'outside']),
    outside: z.array(z.json()).describe('What fits one of these bounds needs no approval.').optional(),
    approvers: z.array(z.string()).describe('Absent: the principal.').optional(),
    threshold: z.int().describe('How many of them have to say yes. Absent: one.').optional(),
  })
  .meta({ id: 'ApprovalRule' })

/** A delegation as the API shows it. */
export const Delegation = z
  .object({
    ...{ id: z.string(), principal: z.string(), agent: z.string(), resource: z.string().optional() },
    authorization_details: z.array(z.json()),
    limits: ShownLimits.optional(),
    delegable: z.object({ max_depth: z.int(), agents: z.array(z.string()).optional() }),
    approval: ShownApproval,
    granted_by: z.string(),
    purpose: z.string().optional(),
    not_before: Moment.optional(),
    expires_at: Moment,
    status: z.enum(['active', 'revoked']),
    reason: z.string().describe('Why it was revoked.').optional(),
    created_at: Moment,
    revoked_at: Moment.optional(),
  })
  .meta({ id: 'Delegation' })
const DelegationWithToken = Delegation.extend({
  subject_token: z.string().describe('While the delegation is good for something; signed anew each time.').optional(),
}).meta({ id: 'DelegationWithToken' })

export const delegationRoutes: readonly Route[] = [
  change({
    ...{ method: 'POST', path: '/delegations', summary: 'Grants a delegation.', status: 201, body: DelegationGrant },
    ...{ operation: 'grantDelegation', shows: DelegationWithToken },
    run: (ports, call: ChangeCall<RegisteredDelegation>, { body }) =>
      grantDelegation(ports, call, {
        principal: body.principal,
        agent: body.agent,
        resource: body.resource,
        authorizationDetails: body.authorization_details,
        limits: limitsMember(body.limits) ?? undefined,
        delegable: body.delegable,
        approval: body.approval,
        notBefore: body.not_before,
        expiresAt: body.expires_at,
        purpose: body.purpose,
      }),
    show: (delegation, exchange) => ({
      ...shown(delegation, exchange),
      location: `/admin/delegations/${delegation.id}`,
    }),
  }),
  list({
    ...{ path: '/delegations', summary: 'Lists delegations, newest first.' },
    ...{ operation: 'listDelegations', shows: Delegation },
    filters: z.strictObject({ agent: Id.optional(), principal: Id.optional() }),
    run: (ports, { filter, page }) => lookUpDelegations(ports, filter, page),
    view: (delegation) => delegationView(delegation),
    position: ({ id }) => id,
  }),
  show({
    ...{
      path: '/delegations/:id',
      operation: 'showDelegation',
      shows: DelegationWithToken,
      summary: 'Shows a delegation, with its subject token while it is good for something.',
    },
    run: (ports, { id = '' }) => lookUpDelegation(ports, id),
    show: (delegation, exchange) => shown(delegation, exchange),
  }),
  change({
    ...{ method: 'DELETE', path: '/delegations/:id', summary: 'Revokes a delegation.', status: 200, body: ReasonOnly },
    ...{ operation: 'revokeDelegation', shows: DelegationWithToken },
    run: (ports, call: ChangeCall<RegisteredDelegation>, { params: { id = '' }, body: { reason } }) =>
      revokeDelegation(ports, call, id, reason),
    show: (delegation, exchange) => shown(delegation, exchange),
  }),
]

/** No entity tag: a delegation cannot be changed, and its subject token is signed anew each time it is shown. */
function shown(delegation: RegisteredDelegation, { ports, signSubjectToken }: Exchange): Shown {
  // One that begins later has its token already.
  const isUsable = isDelegationCurrent({ ...delegation, notBefore: new Date(0) }, ports.now())
  return { view: { ...delegationView(delegation), ...(isUsable && { subject_token: signSubjectToken(delegation) }) } }
}

export const delegationView = (delegation: RegisteredDelegation) => ({
  id: delegation.id,
  principal: delegation.principal.id,
  agent: delegation.agentId,
  resource: delegation.resource,
  authorization_details: delegation.authorizationDetails,
  limits: limitsView(delegation),
  delegable: delegableDocument(delegation.delegable),
  approval: delegation.approval,
  granted_by: delegation.grantedBy,
  purpose: delegation.purpose ?? undefined,
  not_before: delegation.notBefore,
  expires_at: delegation.expiresAt,
  status: delegation.status,
  reason: delegation.reason ?? undefined,
  created_at: delegation.createdAt,
  revoked_at: delegation.revokedAt ?? undefined,
})
