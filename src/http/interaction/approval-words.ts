import type { Risk } from '../../core/action/action-type.ts'
import type { ApprovalRule } from '../../core/delegation/approval-rule.ts'
import { explainApproval } from '../../core/delegation/explain/explain-approval.ts'
import type { ExplainedType } from '../../core/delegation/explain/explain-bound.ts'
import { boundsInWords } from '../pages/components/bounds.ts'
import { folded, type TagManner, tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { type Html, html } from '../pages/html.ts'

/** When somebody is asked before an action is allowed, in words. */
export function approvalInWords(
  { mode, outside, approvers, threshold }: ApprovalRule,
  principalId: string,
  types: ReadonlyMap<string, ExplainedType>,
): Html {
  const rule = {
    mode,
    ...(approvers !== undefined && { approvers: [...approvers] }),
    ...(threshold !== undefined && { threshold }),
  }
  const words = seenText(explainApproval(rule, principalId))
  return outside === undefined
    ? words
    : html`${words} ${folded('What needs no approval', boundsInWords(outside, types))}`
}

const RISKS: Readonly<Record<Risk, readonly [label: string, manner: TagManner, words: string]>> = {
  read: ['reads', 'plain', 'It reads, and changes nothing.'],
  write: ['changes things', 'warning', 'It changes or adds something.'],
  destructive: ['cannot be undone', 'danger', 'It may destroy what cannot be had back.'],
}

export const riskTag = (risk: Risk): Html => tag(RISKS[risk][0], RISKS[risk][1])

export const riskInWords = (risk: Risk): string => RISKS[risk][2]
