import { z } from 'zod'
import { Limits } from '../../core/delegation/limits.ts'
import type { JsonValue } from '../../core/json.ts'
import { keyRoutes } from './key-routes.ts'
import { limitsDocument, limitsMember, limitsView, ShownLimits } from './limit-members.ts'
import { Id, Keys, keyView, LongText, Name, ShortText, ShownKey, withoutNulls } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const AgentDocument = z.strictObject({
  name: Name.describe('Absent: its id.').optional(),
  description: LongText.optional(),
  owner: ShortText.describe('Who answers for it.').optional(),
  limits: Limits.describe('Counted for every token that it acts in, whatever the delegation.').optional(),
})
const AgentRegistration = AgentDocument.extend({ id: Id, keys: Keys }).meta({ id: 'AgentRegistration' })

const Agent = z
  .object({
    ...{ id: z.string(), name: z.string(), description: z.string().optional(), owner: z.string().optional() },
    limits: ShownLimits.optional(),
    keys: z.array(ShownKey).describe('Active ones only.'),
    ...stateShown,
  })
  .meta({ id: 'Agent' })

const toMembers = ({ name, description, owner, limits }: z.output<typeof AgentDocument>, id: string) => ({
  name: name ?? id,
  description: description ?? null,
  owner: owner ?? null,
  limits: limitsMember(limits),
})

export const agentRoutes: readonly Route[] = [
  ...registeredRoutes({
    noun: 'agent',
    path: '/agents',
    title: 'an agent',
    name: 'Agent',
    shows: Agent,
    registration: AgentRegistration,
    toNew: ({ id, keys, ...document }) => ({ entity: { id, ...toMembers(document, id) }, keys }),
    document: AgentDocument,
    toDocument: ({ name, description, owner, limits }) =>
      withoutNulls<JsonValue>({ name, description, owner, limits: limitsDocument(limits) }),
    toMembers,
    fixed: { id: IMMUTABLE, keys: 'is changed at /keys' },
    view: (agent) => ({
      id: agent.id,
      name: agent.name,
      description: agent.description ?? undefined,
      owner: agent.owner ?? undefined,
      limits: limitsView(agent),
      keys: agent.keys.map(keyView),
      ...stateView(agent),
    }),
    verbs: ['suspend', 'resume', 'retire'],
  }),
  ...keyRoutes('agent', '/agents'),
]
