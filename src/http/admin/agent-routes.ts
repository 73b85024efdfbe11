import { z } from 'zod'
import { keyRoutes } from './key-routes.ts'
import { Id, Keys, keyView, LongText, Name, ShortText, withoutNulls } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const AgentDocument = z.strictObject({
  /** Absent: its id. */
  name: Name.optional(),
  description: LongText.optional(),
  /** Who answers for it. */
  owner: ShortText.optional(),
})
const AgentRegistration = AgentDocument.extend({ id: Id, keys: Keys })

const toMembers = ({ name, description, owner }: z.output<typeof AgentDocument>, id: string) => ({
  name: name ?? id,
  description: description ?? null,
  owner: owner ?? null,
})

export const agentRoutes: readonly Route[] = [
  ...registeredRoutes({
    noun: 'agent',
    path: '/agents',
    title: 'an agent',
    registration: AgentRegistration,
    toNew: ({ id, keys, ...document }) => ({ entity: { id, ...toMembers(document, id) }, keys }),
    document: AgentDocument,
    toDocument: ({ name, description, owner }) => withoutNulls({ name, description, owner }),
    toMembers,
    fixed: { id: IMMUTABLE, keys: 'is changed at /keys' },
    view: (agent) => ({
      id: agent.id,
      name: agent.name,
      description: agent.description ?? undefined,
      owner: agent.owner ?? undefined,
      keys: agent.keys.map(keyView),
      ...stateView(agent),
    }),
    verbs: ['suspend', 'resume', 'retire'],
  }),
  ...keyRoutes('agent', '/agents'),
]
