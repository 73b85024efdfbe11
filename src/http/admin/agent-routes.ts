import { z } from 'zod'
import type { RegisteredAgent } from '../../commands/admin/registered.ts'
import { redirectUriProblem } from '../../core/agent/redirect-uri.ts'
import { Limits } from '../../core/delegation/limits.ts'
import type { JsonValue } from '../../core/json.ts'
import { keyRoutes } from './key-routes.ts'
import { limitsDocument, limitsMember, limitsView, ShownLimits } from './limit-members.ts'
import { Id, Keys, keyView, LongText, Name, ShortText, ShownKey, withoutNulls } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const RedirectUri = z.string().superRefine((uri, context) => {
  const message = redirectUriProblem(uri)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})
const isUnique = (list: readonly string[]) => new Set(list).size === list.length
const FLOWS = ['authorization_code', 'device_code', 'ciba'] as const

const AgentDocument = z.strictObject({
  name: Name.describe('Absent: its id.').optional(),
  description: LongText.optional(),
  owner: ShortText.describe('Who answers for it.').optional(),
  limits: Limits.describe('Counted for every token that it acts in, whatever the delegation.').optional(),
  redirect_uris: z
    .array(RedirectUri)
    .max(10)
    .refine(isUnique, 'must not name a URI twice')
    .meta({
      description: 'Where authorization codes may be sent: https, http on a loopback address, or a scheme of its own.',
      asJson: {
        type: 'array',
        items: { type: 'string', format: 'uri', maxLength: 2_048 },
        maxItems: 10,
        uniqueItems: true,
      },
    })
    .optional(),
  grant_types: z
    .array(z.enum(FLOWS))
    .max(FLOWS.length)
    .refine(isUnique, 'must not name a grant twice')
    .meta({
      description: 'By which flows it may ask principals to delegate to it. Absent: by none.',
      uniqueItems: true,
    })
    .optional(),
  backchannel_token_delivery_mode: z.enum(['poll', 'ping']).describe('Absent: poll.').optional(),
  backchannel_client_notification_endpoint: z
    .string()
    .min(1)
    .max(2_048)
    .describe('Where it is pinged: https.')
    .optional(),
})
const AgentRegistration = AgentDocument.extend({ id: Id, keys: Keys }).meta({ id: 'AgentRegistration' })

const Agent = z
  .object({
    ...{ id: z.string(), name: z.string(), description: z.string().optional(), owner: z.string().optional() },
    limits: ShownLimits.optional(),
    redirect_uris: z.array(z.string()).optional(),
    grant_types: z.array(z.enum(FLOWS)).optional(),
    backchannel_token_delivery_mode: z.enum(['poll', 'ping']).optional(),
    backchannel_client_notification_endpoint: z.string().optional(),
    keys: z.array(ShownKey).describe('Active ones only.'),
    ...stateShown,
  })
  .meta({ id: 'Agent' })

const toMembers = (document: z.output<typeof AgentDocument>, id: string) => ({
  name: document.name ?? id,
  description: document.description ?? null,
  owner: document.owner ?? null,
  limits: limitsMember(document.limits),
  redirectUris: document.redirect_uris ?? [],
  grantTypes: document.grant_types ?? [],
  backchannelTokenDeliveryMode: document.backchannel_token_delivery_mode ?? null,
  backchannelClientNotificationEndpoint: document.backchannel_client_notification_endpoint ?? null,
})

/** The members of its flows as they are written; absent where there are none. */
const flowMembers = (agent: RegisteredAgent) => ({
  redirect_uris: agent.redirectUris.length === 0 ? null : [...agent.redirectUris],
  grant_types: agent.grantTypes.length === 0 ? null : [...agent.grantTypes],
  backchannel_token_delivery_mode: agent.backchannelTokenDeliveryMode,
  backchannel_client_notification_endpoint: agent.backchannelClientNotificationEndpoint,
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
    toDocument: (agent) => {
      const { name, description, owner, limits } = agent
      return withoutNulls<JsonValue>({
        ...{ name, description, owner, limits: limitsDocument(limits) },
        ...flowMembers(agent),
      })
    },
    toMembers,
    fixed: { id: IMMUTABLE, keys: 'is changed at /keys' },
    view: (agent) => ({
      id: agent.id,
      name: agent.name,
      description: agent.description ?? undefined,
      owner: agent.owner ?? undefined,
      limits: limitsView(agent),
      ...withoutNulls<unknown>(flowMembers(agent)),
      keys: agent.keys.map(keyView),
      ...stateView(agent),
    }),
    verbs: ['suspend', 'resume', 'retire'],
  }),
  ...keyRoutes('agent', '/agents'),
]
