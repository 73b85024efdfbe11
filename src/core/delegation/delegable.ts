import { z } from 'zod'
import type { Delegable } from './delegation.ts'

/** How many delegations a chain has at most, the root included: so many agents may stand in one `act` claim. */
export const MAX_CHAIN = 8
const MAX_AGENTS = 100

/** How far a delegation may be given on, as it is written (wire contract, section 3). */
export const DelegableDocument = z
  .strictObject({
    max_depth: z
      .number()
      .int()
      .min(0)
      .max(MAX_CHAIN - 1)
      .describe('How many hops more; 0: not at all.'),
    agents: z
      .array(z.string().regex(/^[a-z0-9._-]{1,255}$/, 'must be the id of an agent'))
      .min(1)
      .max(MAX_AGENTS)
      .refine((agents) => new Set(agents).size === agents.length, 'must not name an agent twice')
      .meta({ description: 'To whom. Absent: to any active agent.', uniqueItems: true })
      .optional(),
  })
  .transform(({ max_depth, agents }): Delegable => ({ maxDepth: max_depth, ...(agents !== undefined && { agents }) }))

/** The same the other way. */
export const delegableDocument = ({ maxDepth, agents }: Delegable) => ({
  max_depth: maxDepth,
  ...(agents !== undefined && { agents: [...agents] }),
})
