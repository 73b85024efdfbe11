import { z } from 'zod'
import { type AnsweredForPrincipal, answerForPrincipal } from '../../commands/admin/answer-for-principal.ts'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import type { ApprovalView } from '../../commands/approvals/approval-view.ts'
import { findApproval, listApprovals } from '../../commands/approvals/find-approval.ts'
import { Id, Moment } from './members.ts'
import { change, type Exchange, list, type Route, show } from './route.ts'

const State = z.enum(['pending', 'approved', 'denied', 'redeemed', 'void', 'expired'])

/** An approval as the API shows it: everything that the page of it shows. */
const Approval = z
  .object({
    id: z.string(),
    state: State.describe(
      '"redeemed": its token was issued. "void": what it rests on changed. "expired": nobody answered, or asked, in time.',
    ),
    ...{ principal: z.string(), agent: z.string(), delegation: z.string() },
    chain: z.array(z.string()).describe('The agents that the delegation was given on by; the last one asks.'),
    resource: z.string(),
    action: z.json().describe('Every member, as it will be in the token.'),
    action_digest: z.string(),
    action_type: z.object({
      ...{ type: z.string(), version: z.int() },
      title: z.string().describe('Absent where the type has changed since.').optional(),
      risk: z.enum(['read', 'write', 'destructive']).optional(),
    }),
    sentence: z.string().describe('From the template of the type, never from the words of the agent.').optional(),
    digest_only: z
      .array(z.string())
      .describe('Members whose content is not shown to Writ: their digest is all it knows.'),
    purpose: z.string().describe('The words of the agent. They may say anything.').optional(),
    needs: z
      .array(z.object({ approvers: z.array(z.string()), threshold: z.int() }))
      .describe('Of each of these so many have to say yes; one no ends it.'),
    approvers: z.array(z.string()),
    votes: z.array(
      z.object({
        approver: z.string(),
        answered_by: z.string().describe('"principal", or "admin:" and a client.'),
        ...{ answer: z.enum(['approve', 'deny']), at: Moment },
      }),
    ),
    names: z.record(z.string(), z.string()).describe('What people call the ids above.'),
    turn: z.string().optional(),
    approval_uri: z.string().describe('Where its approvers answer it.'),
    ...{ created_at: Moment, expires_at: Moment, decided_at: Moment.optional() },
  })
  .meta({ id: 'Approval' })

const AnswerRequest = z
  .strictObject({ approver: Id.describe('For whom. Absent: for the only one who is asked.').optional() })
  .meta({ id: 'ApprovalAnswerRequest' })
const AnswerShown = z
  .object({
    ...{ id: z.string(), approver: z.string() },
    state: State.describe('After the answer: "pending" while others have to say yes too.'),
  })
  .meta({ id: 'ApprovalAnswer' })

/** Approvals: an administrator sees all, and answers for organizations and services, never for a person. */
export const approvalRoutes = (issuer: string): readonly Route[] => [
  list({
    ...{ path: '/approvals', summary: 'Lists approvals, newest first.', operation: 'listApprovals', shows: Approval },
    need: 'see_approvals',
    filters: z.strictObject({ state: State.optional(), agent: Id.optional(), principal: Id.optional() }),
    run: (ports, { filter, page }) => listApprovals(ports, { ...filter, ...page }),
    view: (approval) => approvalView(approval, issuer),
    position: ({ id }) => id,
  }),
  show({
    ...{ path: '/approvals/:id', operation: 'showApproval', shows: Approval, need: 'see_approvals' },
    summary: 'Shows an approval: the action, who asks for it, and who answers.',
    run: (ports, { id = '' }) => findApproval(ports, id, { kind: 'administrator' }),
    show: (approval) => ({ view: approvalView(approval, issuer) }),
  }),
  ...(['approve', 'deny'] as const).map((answer) =>
    change({
      ...{ method: 'POST', path: `/approvals/:id/${answer}`, operation: `${answer}Approval` },
      summary: `${answer === 'approve' ? 'Approves' : 'Denies'} for an organization or a service, never for a person.`,
      ...{ status: 200, body: AnswerRequest, shows: AnswerShown, need: 'approve' },
      run: (ports, call: ChangeCall<AnsweredForPrincipal>, { params: { id = '' }, body: { approver } }) =>
        answerForPrincipal(ports, call, { id, answer, approver }),
      show: ({ id, approver, state }: AnsweredForPrincipal, _: Exchange) => ({ view: { id, approver, state } }),
    }),
  ),
]

function approvalView(approval: ApprovalView, issuer: string) {
  const { principal, agent, chain, approvers } = approval
  return {
    ...{ id: approval.id, state: approval.state, principal: principal.id, agent: agent.id },
    delegation: approval.delegationId,
    chain: chain.map(({ id }) => id),
    ...{ resource: approval.resource, action: approval.action, action_digest: approval.actionDigest },
    ...{ action_type: approval.actionType, sentence: approval.sentence, digest_only: approval.digestOnly },
    ...{ purpose: approval.purpose, needs: approval.needs, approvers: approvers.map(({ id }) => id) },
    votes: approval.votes.map(({ approver, answeredBy, isYes, at }) => ({
      ...{ approver, answered_by: answeredBy, answer: isYes ? 'approve' : 'deny', at },
    })),
    names: Object.fromEntries([principal, agent, ...chain, ...approvers].map(({ id, name }) => [id, name])),
    turn: approval.turn,
    approval_uri: `${issuer}/me/approvals/${approval.id}`,
    ...{ created_at: approval.createdAt, expires_at: approval.expiresAt, decided_at: approval.decidedAt },
  }
}
