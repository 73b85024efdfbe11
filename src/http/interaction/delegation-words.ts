import type { OwnDelegation } from '../../commands/people/own-affairs.ts'
import { explainDelegable, explainLimits, ShownLimits } from '../../core/delegation/explain/explain-limits.ts'
import { tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { type Html, html } from '../pages/html.ts'

/** In what state a delegation is, in a word; its own end first, then why it is of no use all the same. */
export function delegationState({ delegation, agent, isInForce }: OwnDelegation, now: Date): Html {
  if (delegation.status !== 'active') return tag('revoked', 'danger')
  if (delegation.expiresAt <= now) return tag('expired')
  if (agent.status !== 'active') return tag(`agent ${agent.status}`, 'warning')
  if (delegation.notBefore !== undefined && delegation.notBefore > now) return tag('not begun', 'warning')
  return isInForce ? tag('in force', 'good') : tag('not in force', 'warning')
}

/** Whether there is anything to revoke. */
export const isOpen = ({ delegation }: OwnDelegation, now: Date): boolean =>
  delegation.status === 'active' && delegation.expiresAt > now

/** Who granted it, in words: a principal is to see what others granted for him. */
export function grantedBy({ delegation, givenOnBy }: OwnDelegation): Html {
  const giver = givenOnBy.at(-1)
  if (giver !== undefined) return html`given on by the agent ${seenText(giver.name)}`
  if (delegation.grantedBy === 'principal') return html`you`
  const administrator = delegation.grantedBy.startsWith('admin:') ? delegation.grantedBy.slice(6) : delegation.grantedBy
  return html`the administrator <code>${seenText(administrator)}</code>, for you`
}

/** Every limit and what is left of it. Undefined: there are none. */
export function limitsInWords({ delegation: { limits, remaining } }: OwnDelegation): Html | undefined {
  const lines = limits === undefined ? [] : explainLimits(ShownLimits.parse({ ...limits, remaining: remaining ?? {} }))
  if (lines.length === 0) return undefined
  return html`<ul class="limits">${lines.map(({ rule, left }) => html`<li><span>${seenText(rule)}</span> <strong>${seenText(left)}</strong></li>`)}</ul>`
}

/** Whether it may be given on, in a sentence. */
export const givingOn = ({ delegation: { delegable } }: OwnDelegation): Html =>
  seenText(
    explainDelegable({
      max_depth: delegable.maxDepth,
      ...(delegable.agents !== undefined && { agents: [...delegable.agents] }),
    }),
  )
