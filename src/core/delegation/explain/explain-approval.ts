import { z } from 'zod'
import { visible } from '../../visible.ts'

/** An approval rule as the API shows it. */
export const ShownApprovalRule = z.object({
  mode: z.enum(['none', 'each', 'outside']),
  outside: z.array(z.record(z.string(), z.json())).optional(),
  approvers: z.array(z.string()).optional(),
  threshold: z.number().optional(),
})
export type ShownApprovalRule = z.infer<typeof ShownApprovalRule>

/** Who is asked: `alice`, `ann or ben`, `two of ann, ben and cem`, `ann and ben`. */
export function explainApprovers(approvers: readonly string[], threshold: number): string {
  const names = approvers.map(visible)
  if (threshold >= names.length) return list(names, 'and')
  return threshold === 1 ? list(names, 'or') : `${threshold} of ${list(names, 'and')}`
}

/** When somebody is asked, in a sentence; what needs nobody is said by its bounds, below. */
export function explainApproval({ mode, approvers, threshold = 1 }: ShownApprovalRule, principal: string): string {
  if (mode === 'none') return 'Nobody is asked before it acts.'
  const who = explainApprovers(approvers ?? [principal], threshold)
  return mode === 'each'
    ? `Each action needs approval by ${who}.`
    : `An action needs approval by ${who}, unless it is one of these:`
}

function list(names: readonly string[], word: string): string {
  const last = names.at(-1) ?? 'nobody'
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`
}
