/** What an agent is told of an approval that gives no token. */
export const APPROVAL_DETAILS = {
  approval_denied: 'the action was not approved',
  approval_void: 'what the approval rests on has changed',
  approvals_full: 'too many approvals wait for this principal already',
} as const

/** Which of these a description is. */
export const saidOfApproval = (description: string): keyof typeof APPROVAL_DETAILS | undefined =>
  (Object.keys(APPROVAL_DETAILS) as (keyof typeof APPROVAL_DETAILS)[]).find(
    (code) => APPROVAL_DETAILS[code] === description,
  )
