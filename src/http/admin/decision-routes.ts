import { z } from 'zod'
import { tryAction } from '../../commands/admin/try-action.ts'
import { Id } from './members.ts'
import { ask, type Route } from './route.ts'

const DecisionRequest = z.strictObject({
  agent: Id,
  /** Absent: every open delegation of the agent is tried. */
  delegation: z.string().min(1).max(255).optional(),
  /** A resource identifier. */
  resource: z.string().min(1).max(2_048),
  /** Exactly one action. */
  authorization_details: z.array(z.json()).length(1),
})

/** A dry run: what would be decided, and why. Nothing is issued, counted or recorded, so reading is enough for it. */
export const decisionRoutes: readonly Route[] = [
  ask({
    ...{ path: '/decisions', summary: 'Tells what an exchange would be answered, and why.', body: DecisionRequest },
    run: (ports, { agent, delegation, resource, authorization_details }) =>
      tryAction(ports, { agent, delegation, resource, action: authorization_details[0] ?? null }),
    show: (tried) =>
      tried.decision === 'permit'
        ? tried
        : {
            decision: tried.decision,
            delegation: tried.delegation,
            refusal: tried.refusal.code,
            detail: tried.refusal.detail,
            member: tried.refusal.member,
          },
  }),
]
