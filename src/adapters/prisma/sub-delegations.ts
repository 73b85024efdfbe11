import type { SubDelegations } from '../../chain-ports.ts'
import { approvalColumn } from '../../core/delegation/approval-rule.ts'
import { delegableDocument } from '../../core/delegation/delegable.ts'
import type { RefusalCode } from '../../core/refusal.ts'
import type { Query } from './open-database.ts'

/** Active delegations that may be given on from one. */
export const MAX_CHILDREN = 1_000
/** Delegations in force below one root: the tree is ended in one transaction. */
export const MAX_TREE = 10_000

/** Delegations that agents give on, each in one statement with its marks, its checks and its record. */
export function subDelegations(query: Query, maxChildren = MAX_CHILDREN, maxTree = MAX_TREE): SubDelegations {
  return {
    add: async ({ attemptId, marks, child, actor, client, assertionKid, jkt, actors, recordId, requestId }) => {
      const entry = {
        ...{ request: attemptId, id: child.id, client, assertion_kid: assertionKid, jkt, principal: child.principalId },
        ...{ lineage: child.lineage, actors, actor: actor.agentId, actor_kid: actor.jkt, actor_jti: actor.jti },
        ...{ actor_issued_at: actor.iat, actor_expires_at: actor.exp, resource: child.resource },
        ...{ authorization_details: child.authorizationDetails, limits: child.limits },
        ...{ delegable: delegableDocument(child.delegable), granted_by: child.grantedBy },
        // Without a rule there is no member: the column is then null.
        approval: approvalColumn(child.approval) ?? undefined,
        ...{ not_before: child.notBefore && seconds(child.notBefore), expires_at: seconds(child.expiresAt) },
        ...{ created_at: seconds(child.createdAt), record_id: recordId, request_id: requestId, max_tree: maxTree },
        // Who, to whom, within what, until.
        because: {
          ...{ operation: 'delegation.delegate_on', parent: child.lineage.at(-2), to: actor.agentId },
          ...{ authorization_details: child.authorizationDetails, expires_at: seconds(child.expiresAt) },
          ...{ limits: child.limits, delegable: delegableDocument(child.delegable) },
          approval: approvalColumn(child.approval) ?? undefined,
        },
      }
      const rows = marks.map(({ kind, key, until, issuedAt }) => ({ kind, key, until, issued: issuedAt }))
      const [answer] = await query<{ outcome: string }>(
        'SELECT writ_delegate_on($1::jsonb, $2::jsonb, $3::int) AS outcome',
        [JSON.stringify(entry), JSON.stringify(rows), maxChildren],
      )
      if (answer === undefined) throw new Error('the database did not answer whether a delegation was made')
      return answer.outcome as 'ok' | RefusalCode
    },
  }
}

const seconds = (date: Date) => date.getTime() / 1_000
