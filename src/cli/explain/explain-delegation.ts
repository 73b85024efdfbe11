import { z } from 'zod'
import { explainApproval, ShownApprovalRule } from '../../core/delegation/explain/explain-approval.ts'
import { type ExplainedType, explainBound } from '../../core/delegation/explain/explain-bound.ts'
import { explainDelegable, explainLimits, ShownLimits } from '../../core/delegation/explain/explain-limits.ts'
import { isJsonObject, type JsonValue } from '../../core/json.ts'
import { visible } from '../../core/visible.ts'
import { moment, timeOf } from '../output/moment.ts'
import type { Paint } from '../output/paint.ts'

/** A delegation as the API shows it, as far as it can be explained. */
export const ShownDelegation = z.looseObject({
  id: z.string(),
  principal: z.string(),
  agent: z.string(),
  resource: z.string().nullish(),
  authorization_details: z.array(z.record(z.string(), z.json())),
  limits: ShownLimits.optional(),
  delegable: z.object({ max_depth: z.number(), agents: z.array(z.string()).optional() }).optional(),
  approval: ShownApprovalRule.optional(),
  granted_by: z.string().optional(),
  purpose: z.string().optional(),
  not_before: z.number().nullish(),
  expires_at: z.number(),
  status: z.string(),
  reason: z.string().optional(),
})
export type ShownDelegation = z.infer<typeof ShownDelegation>

/** Members of a delegation that this explains or that change nothing of what it allows. */
const EXPLAINED = new Set([
  ...['id', 'principal', 'agent', 'resource', 'authorization_details', 'granted_by', 'purpose', 'not_before'],
  ...['limits', 'delegable', 'approval', 'expires_at', 'status', 'reason', 'created_at', 'revoked_at', 'subject_token'],
])

/** Says in sentences what a delegation allows; complete: what it cannot put into words it shows as it is. */
export function explainDelegation(
  delegation: ShownDelegation,
  types: ReadonlyMap<string, ExplainedType>,
  { paint, now }: { readonly paint: Paint; readonly now: Date },
): string[] {
  const bounds = delegation.authorization_details.map((bound) => explainBound(bound, types.get(String(bound.type))))
  const [agent, principal] = [visible(delegation.agent), visible(delegation.principal)]
  const where = delegation.resource ? ` at ${visible(delegation.resource)}` : ''
  const lines = [
    `${paint('bold', agent)} may act for ${paint('bold', principal)}${where}, ${period(delegation, now)}.`,
    ...stateLines(delegation, now, paint),
    '',
    bounds.length === 1
      ? 'It may do this and nothing else:'
      : `It may do any of these ${bounds.length} and nothing else:`,
  ]
  lines.push(...boundLines(bounds, paint))
  if (delegation.limits !== undefined) lines.push(...limitLines(delegation.limits, paint))
  if (delegation.delegable !== undefined) lines.push('', explainDelegable(delegation.delegable))
  if (asks(delegation)) lines.push('', ...approvalLines(delegation, types, paint))
  const rest = Object.entries(delegation).filter(([name, value]) => !EXPLAINED.has(name) && hasSubstance(value))
  if (rest.length > 0)
    lines.push('', 'Also:', ...rest.map(([name, value]) => `   ${visible(name)}: ${visible(JSON.stringify(value))}`))
  return lines
}

function boundLines(bounds: readonly ReturnType<typeof explainBound>[], paint: Paint): string[] {
  return bounds.flatMap(({ title, sentence, members, locations, useless }, n) => {
    const width = Math.max(0, ...members.map(({ path }) => path.length))
    return [
      ...['', `${bounds.length === 1 ? '' : `${n + 1}. `}${paint('bold', title)}`],
      sentence === undefined
        ? paint('yellow', '   This action type is not known any more: nothing is issued by this bound.')
        : `   “${sentence}”`,
      ...(locations === undefined ? [] : [`   only at ${locations.join(', ')}`]),
      '',
      ...members.map(({ path, may }) => `   ${paint('cyan', path.padEnd(width))}  ${may}`),
      ...(members.length === 0 ? ['   (no members)'] : []),
      ...(useless === undefined ? [] : ['', paint('yellow', `   No action can fit: ${useless}.`)]),
    ]
  })
}

/** What is said of most is not said of each: where nobody is asked, nothing is. */
const asks = ({ approval }: ShownDelegation) => approval !== undefined && approval.mode !== 'none'

function approvalLines(
  { approval, principal }: ShownDelegation,
  types: ReadonlyMap<string, ExplainedType>,
  paint: Paint,
): string[] {
  if (approval === undefined) return []
  const free = (approval.outside ?? []).map((bound) => explainBound(bound, types.get(String(bound.type))))
  return [explainApproval(approval, principal), ...boundLines(free, paint)]
}

function limitLines(limits: ShownLimits, paint: Paint): string[] {
  const explained = explainLimits(limits)
  const width = Math.max(0, ...explained.map(({ rule }) => rule.length))
  return [
    '',
    'Of all its actions together:',
    '',
    ...explained.map(({ rule, left }) => `   ${rule.padEnd(width)}  ${paint('cyan', left)}`),
  ]
}

function period({ not_before, expires_at }: ShownDelegation, now: Date): string {
  const end = `until ${moment(expires_at, now)}`
  return isTime(not_before) ? `from ${moment(not_before, now)} ${end}` : end
}

const isTime = (value: number | null | undefined): value is number => value !== undefined && value !== null

function stateLines(
  { status, reason, expires_at, not_before, granted_by, purpose }: ShownDelegation,
  now: Date,
  paint: Paint,
): string[] {
  const lines: string[] = []
  const because = reason === undefined ? '' : `: ${visible(reason)}`
  if (status !== 'active') lines.push(paint('red', `It is ${visible(status)}${because}. Nothing is issued on it.`))
  else if ((timeOf(expires_at) ?? now) <= now) lines.push(paint('yellow', 'It has expired. Nothing is issued on it.'))
  else if (isTime(not_before) && (timeOf(not_before) ?? now) > now)
    lines.push(paint('yellow', 'It has not begun. Nothing is issued on it yet.'))
  if (granted_by !== undefined)
    lines.push(`Granted by ${visible(granted_by)}${purpose === undefined ? '.' : `, for: ${visible(purpose)}`}`)
  return lines
}

/** Whether a member says anything. */
function hasSubstance(value: unknown): boolean {
  if (value === undefined || value === null) return false
  return !(isJsonObject(value as JsonValue) && Object.keys(value as object).length === 0)
}
