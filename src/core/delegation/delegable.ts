import { z } from 'zod'
import { type Refusal, refuse } from '../refusal.ts'
import { type ChainedDelegation, chainOf, type Delegable } from './delegation.ts'

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

/**
 * Whether a delegation may be given on to an agent, and what may then be done with it: by its own word, and by that of every
 * delegation above it.
 *
 * A chain never closes: nobody stands in it twice. The names of agents grow fewer along it, and its depth smaller.
 *
 * @param wanted how far the child may be given on; absent: not at all.
 * @returns what the child gets.
 */
export function delegableTo(
  parent: ChainedDelegation,
  actor: string,
  wanted: Delegable | undefined,
): Delegable | Refusal<'delegation_not_permitted'> {
  const chain = chainOf(parent)
  const no = (detail: string, member: string) => refuse('delegation_not_permitted', detail, member)
  if (actor === parent.agentId) return no('an agent does not delegate to itself', 'actor_token')
  if (chain.some(({ agentId }) => agentId === actor)) return no('the agent is in the chain already', 'actor_token')

  const left = Math.min(...chain.toReversed().map(({ delegable }, i) => delegable.maxDepth - (i + 1)))
  if (left < 0 || chain.length >= MAX_CHAIN) return no('the delegation may not be given on', 'delegable.max_depth')
  const lists = chain.flatMap(({ delegable }) => (delegable.agents === undefined ? [] : [delegable.agents]))
  const isAllowed = (agent: string) => lists.every((agents) => agents.includes(agent))
  if (!isAllowed(actor)) return no('the delegation may not be given on to this agent', 'delegable.agents')

  const maxDepth = wanted?.maxDepth ?? 0
  if (maxDepth > left || chain.length + 1 + maxDepth > MAX_CHAIN) {
    return no('the delegation may not be given on so far', 'delegable.max_depth')
  }
  if (wanted?.agents !== undefined && !wanted.agents.every(isAllowed)) {
    return no('names an agent that the delegation does not', 'delegable.agents')
  }
  // Where the child names nobody, whom its parent names still holds.
  const agents = wanted?.agents ?? parent.delegable.agents
  return { maxDepth, ...(maxDepth > 0 && agents !== undefined && { agents }) }
}
