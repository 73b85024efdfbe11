import { z } from 'zod'
import { explainApprovers } from '../../core/delegation/explain/explain-approval.ts'
import { isJsonArray, isJsonObject, type JsonValue } from '../../core/json.ts'
import { jsonText, visible } from '../../core/visible.ts'
import { moment } from '../output/moment.ts'
import { type Paint, paintStatus } from '../output/paint.ts'

/** An approval as the API shows it, as far as it is shown to a person. */
export const ShownApproval = z.looseObject({
  id: z.string(),
  state: z.string(),
  principal: z.string(),
  agent: z.string(),
  delegation: z.string(),
  chain: z.array(z.string()),
  resource: z.string(),
  action: z.record(z.string(), z.json()),
  action_type: z.object({
    type: z.string(),
    version: z.number(),
    title: z.string().optional(),
    risk: z.string().optional(),
  }),
  sentence: z.string().optional(),
  digest_only: z.array(z.string()),
  purpose: z.string().optional(),
  needs: z.array(z.object({ approvers: z.array(z.string()), threshold: z.number() })),
  approvers: z.array(z.string()),
  votes: z.array(z.object({ approver: z.string(), answered_by: z.string(), answer: z.string(), at: z.number() })),
  names: z.record(z.string(), z.string()),
  turn: z.string().optional(),
  created_at: z.number(),
  expires_at: z.number(),
  decided_at: z.number().optional(),
})
export type ShownApproval = z.infer<typeof ShownApproval>

/** One long name moves nothing out of sight. Unit: characters. */
const MAX_PATH_WIDTH = 40

/** Everything that an approver is to see: the sentence, every member in full, who asks, and the agent's words apart. */
export function explainApprovalRequest(
  approval: ShownApproval,
  { paint, now }: { readonly paint: Paint; readonly now: Date },
): string[] {
  const { action_type: type, sentence, purpose, needs, votes } = approval
  const named = (id: string) => {
    const name = Object.hasOwn(approval.names, id) ? approval.names[id] : undefined
    return name === undefined || name === id ? visible(id) : `${visible(id)} (${visible(name)})`
  }
  const members = membersOf(approval.action, '', new Set(approval.digest_only))
  const width = members.reduce((widest, { path }) => Math.max(widest, Math.min(path.length, MAX_PATH_WIDTH)), 0)
  const facts: readonly (readonly [string, string])[] = [
    ['state', paintStatus(paint, visible(approval.state))],
    [
      'what',
      `${visible(type.title ?? type.type)} (${visible(type.type)}${type.risk ? `, ${visible(type.risk)}` : ''})`,
    ],
    ['at', visible(approval.resource)],
    ['for', named(approval.principal)],
    ['by', approval.chain.map(named).join(' → ')],
    ...needs.map(({ approvers, threshold }) => ['asked', explainApprovers(approvers, threshold)] as const),
    ...votes.map(
      ({ approver, answer, answered_by: by, at }) =>
        ['answer', `${visible(approver)}: ${visible(answer)}, by ${visible(by)}, ${moment(at, now)}`] as const,
    ),
    ['delegation', visible(approval.delegation)],
    ...(approval.turn === undefined ? [] : [['turn', visible(approval.turn)] as const]),
    ['asked at', moment(approval.created_at, now)],
    ['ends', moment(approval.expires_at, now)],
  ]
  return [
    sentence === undefined
      ? paint('yellow', 'The action type has changed since it was asked: it cannot be approved any more.')
      : paint('bold', `“${visible(sentence)}”`),
    '',
    ...facts.map(([name, text]) => `${paint('cyan', name.padEnd(10))}  ${text}`),
    '',
    'The action, every member of it:',
    ...members.map(({ path, text }) => `   ${paint('cyan', path.padEnd(width))}  ${text}`),
    ...(purpose === undefined
      ? []
      : ['', paint('yellow', 'The agent says, in its own words, which may be anything:'), `   ${visible(purpose)}`]),
  ]
}

/** Every value of an action, in full, with its path; what nobody could see is named. */
function membersOf(
  value: JsonValue,
  path: string,
  digests: ReadonlySet<string>,
): readonly { readonly path: string; readonly text: string }[] {
  if (digests.has(path)) {
    const digest = isJsonObject(value) ? String(value.s256) : ''
    return [{ path: visible(path), text: `content not shown to Writ (SHA-256 ${visible(digest)})` }]
  }
  if (isJsonObject(value) && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([name, inner]) =>
      membersOf(inner, path === '' ? name : `${path}.${name}`, digests),
    )
  }
  if (isJsonArray(value) && value.length > 0) {
    return value.flatMap((inner, n) => membersOf(inner, `${path}[${n}]`, digests))
  }
  return [{ path: visible(path), text: typeof value === 'string' ? visible(value) : jsonText(value, 0) }]
}
