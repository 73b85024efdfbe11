import { z } from 'zod'
import type { JsonValue } from '../json.ts'

/** When a principal is asked before an action is allowed: never, for each one, or for those outside of some bounds. */
export interface ApprovalRule {
  readonly mode: 'none' | 'each' | 'outside'
  /** With `outside`, and only there: bounds as written. An action that fits one of them wholly needs no approval. */
  readonly outside?: readonly JsonValue[]
  /** Ids of the principals who may answer; absent: the principal of the delegation alone. */
  readonly approvers?: readonly string[]
  /** How many of them have to say yes; absent: one. */
  readonly threshold?: number
}

export const NO_APPROVAL: ApprovalRule = { mode: 'none' }

export const MAX_APPROVERS = 20
const MAX_BOUNDS = 32
const MODES = ['none', 'each', 'outside'] as const

const APPROVERS = {
  type: 'array',
  items: { type: 'string', pattern: '^[a-z0-9._-]{1,255}$' },
  ...{ minItems: 1, maxItems: MAX_APPROVERS, uniqueItems: true },
  description: 'Principals who may answer. Absent: the principal of the delegation alone.',
} as const
const AS_JSON = {
  oneOf: [
    { type: 'string', enum: ['none', 'each'] },
    {
      type: 'object',
      properties: {
        mode: { type: 'string', enum: [...MODES] },
        outside: {
          ...{ type: 'array', items: { type: 'object' }, minItems: 1, maxItems: MAX_BOUNDS },
          description: 'With mode "outside" only: bounds. An action that fits one of them wholly needs no approval.',
        },
        approvers: APPROVERS,
        threshold: {
          ...{ type: 'integer', minimum: 1, maximum: MAX_APPROVERS },
          description: 'How many of them have to say yes. Absent: one.',
        },
      },
      required: ['mode'],
      additionalProperties: false,
    },
  ],
}

/**
 * A rule as it is written (wire contract, section 3); a bare mode as a string will do.
 *
 * That its bounds are bounds and its approvers principals is told by whoever knows action types and principals.
 */
export const ApprovalDocument = z
  .preprocess(
    (written) => (typeof written === 'string' ? { mode: written } : written),
    z.strictObject({
      mode: z.enum(MODES),
      outside: z.array(z.json()).min(1).max(MAX_BOUNDS).optional(),
      approvers: z
        .array(z.string().regex(/^[a-z0-9._-]{1,255}$/, 'must be the id of a principal'))
        .min(1)
        .max(MAX_APPROVERS)
        .refine((ids) => new Set(ids).size === ids.length, 'must not name a principal twice')
        .optional(),
      threshold: z.number().int().min(1).max(MAX_APPROVERS).optional(),
    }),
  )
  .superRefine(({ mode, outside, approvers, threshold = 1 }, context) => {
    const no = (member: string, message: string) => context.addIssue({ code: 'custom', message, path: [member] })
    if (mode === 'outside' && outside === undefined) no('outside', 'is needed with the mode "outside"')
    if (mode !== 'outside' && outside !== undefined) no('outside', 'goes with the mode "outside" only')
    if (mode === 'none' && approvers !== undefined) no('approvers', 'is of no use with the mode "none"')
    if (mode === 'none' && threshold !== 1) no('threshold', 'is of no use with the mode "none"')
    else if (threshold > (approvers?.length ?? 1)) no('threshold', 'is more than there are approvers')
  })
  .transform(
    // Built anew: a member that is absent is absent, not undefined.
    ({ mode, outside, approvers, threshold }): ApprovalRule => ({
      mode,
      ...(outside !== undefined && { outside }),
      ...(approvers !== undefined && { approvers }),
      ...(threshold !== undefined && { threshold }),
    }),
  )
  .meta({ description: 'When the principal is asked for each action. Absent: never.', asJson: AS_JSON })

/** A rule as it is stored, and shown: its members are named as they are written. Null: no rule. */
export const approvalColumn = (rule: ApprovalRule | undefined): ApprovalRule | null =>
  rule === undefined || rule.mode === 'none' ? null : rule

/** @throws for a column that is no rule: what cannot be read must never pass for "ask nobody". */
export function readApprovalColumn(column: unknown): ApprovalRule {
  return column === null || column === undefined ? NO_APPROVAL : ApprovalDocument.parse(column)
}

/** Whom a rule further down a chain may name: the principal, and whom the rules above it name. */
export const nameableApprovers = (
  above: readonly { readonly approval: ApprovalRule }[],
  principalId: string,
): ReadonlySet<string> => new Set([principalId, ...above.flatMap(({ approval }) => approval.approvers ?? [])])

/** Who may answer, and how many must say yes, for a delegation of this principal. */
export const approversOf = (rule: ApprovalRule, principalId: string) => ({
  approvers: rule.approvers ?? [principalId],
  threshold: rule.threshold ?? 1,
})
