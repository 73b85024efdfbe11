import { z } from 'zod'
import { type TriedAction, tryAction } from '../../commands/admin/try-action.ts'
import { Id } from './members.ts'
import { ask, type Route } from './route.ts'

const DecisionRequest = z
  .strictObject({
    agent: Id,
    delegation: z.string().min(1).max(255).describe('Absent: every open delegation of the agent is tried.').optional(),
    resource: z.string().min(1).max(2_048).describe('A resource identifier.'),
    authorization_details: z.array(z.json()).length(1).describe('Exactly one action.'),
  })
  .meta({ id: 'DecisionRequest' })

/** One limit, whose it is, and what is left of it: uses, or so much of a member. */
const LimitLeft = z
  .object({
    of: z.enum(['delegation', 'agent', 'resource']),
    id: z.string(),
    seconds: z.int().describe('The window. Absent: for ever.').optional(),
    max_uses: z.int().optional(),
    member: z.string().optional(),
    per: z.string().optional(),
    value: z.string().describe('Of "per".').optional(),
    max: z.string().optional(),
  })
  .meta({ id: 'LimitLeft' })

const TriedDecision = z
  .discriminatedUnion('decision', [
    z.object({
      decision: z
        .enum(['permit', 'require_approval'])
        .describe('"require_approval": allowed once those in "approval" have said yes.'),
      delegation: z.string(),
      sentence: z.string().describe('What would be allowed, in words.'),
      because: z.array(z.int()).describe('Which bounds of the delegation allow it, counted from 0.'),
      limits: z
        .array(LimitLeft)
        .describe('Every limit that it would count at, and what would be left of it afterwards.')
        .optional(),
      approval: z
        .array(z.object({ approvers: z.array(z.string()), threshold: z.int() }))
        .describe('With "require_approval": of each of these so many have to say yes.')
        .optional(),
    }),
    z.object({
      decision: z.literal('forbid'),
      delegation: z.string().describe('The one that came nearest.').optional(),
      ...{ refusal: z.string(), detail: z.string(), member: z.string().optional() },
      limit: LimitLeft.describe('The one that is reached.').optional(),
    }),
  ])
  .meta({ id: 'TriedDecision' })

/** A dry run: what would be decided, and why. Nothing is issued, counted or recorded, so reading is enough for it. */
export const decisionRoutes: readonly Route[] = [
  ask({
    ...{ path: '/decisions', summary: 'Tells what an exchange would be answered, and why.', body: DecisionRequest },
    ...{ operation: 'tryAction', shows: TriedDecision },
    run: (ports, { agent, delegation, resource, authorization_details }) =>
      tryAction(ports, { agent, delegation, resource, action: authorization_details[0] ?? null }),
    show: (tried) =>
      tried.decision !== 'forbid'
        ? shownPermit(tried)
        : {
            decision: tried.decision,
            delegation: tried.delegation,
            refusal: tried.refusal.code,
            detail: tried.refusal.detail,
            member: tried.refusal.member,
            limit: tried.limit,
          },
  }),
]

const shownPermit = ({ needs, ...permit }: Exclude<TriedAction, { readonly decision: 'forbid' }>) => ({
  ...permit,
  ...(needs !== undefined && { approval: needs }),
})
