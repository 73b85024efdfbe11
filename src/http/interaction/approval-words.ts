import type { Risk } from '../../core/action/action-type.ts'
import type { ApprovalRule } from '../../core/delegation/approval-rule.ts'
import type { ExplainedType } from '../../core/delegation/explain/explain-bound.ts'
import { boundsInWords } from '../pages/components/bounds.ts'
import { folded, type TagManner, tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { type Html, html } from '../pages/html.ts'

/** When somebody is asked before an action is allowed, in words. */
export function approvalInWords(rule: ApprovalRule, types: ReadonlyMap<string, ExplainedType>): Html {
  if (rule.mode === 'none') return html`never: it acts within these bounds by itself`
  const { approvers, threshold = 1 } = rule
  const whom =
    approvers !== undefined &&
    html` Who may say yes: ${seenText(approvers.join(', '))}${approvers.length > 1 && html`; ${threshold} of them must`}.`
  if (rule.mode === 'each') return html`before every action.${whom}`
  return html`before every action but these.${whom} ${folded('What needs no yes', boundsInWords(rule.outside ?? [], types))}`
}

const RISKS: Readonly<Record<Risk, readonly [label: string, manner: TagManner, words: string]>> = {
  read: ['reads', 'plain', 'It reads, and changes nothing.'],
  write: ['changes things', 'warning', 'It changes things.'],
  destructive: ['cannot be undone', 'danger', 'It may destroy what cannot be had back.'],
}

export const riskTag = (risk: Risk): Html => tag(RISKS[risk][0], RISKS[risk][1])

export const riskInWords = (risk: Risk): string => RISKS[risk][2]
