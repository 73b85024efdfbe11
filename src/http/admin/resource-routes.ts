import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { changeStatus } from '../../commands/admin/change-status.ts'
import type { RegisteredResource } from '../../commands/admin/registered.ts'
import {
  checkResourceIdentifier,
  foldIdentifier,
  MAX_IDENTIFIER_LENGTH,
} from '../../commands/admin/resource-identifier.ts'
import { Limits } from '../../core/delegation/limits.ts'
import type { JsonValue } from '../../core/json.ts'
import { entityTag } from './entity-tag.ts'
import { keyRoutes } from './key-routes.ts'
import { limitsDocument, limitsMember, limitsView, ShownLimits } from './limit-members.ts'
import { ActionTypeName, Id, Keys, keyView, Name, ReasonOnly, ShownKey, withoutNulls } from './members.ts'
import { IMMUTABLE, type RegisteredKind, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import { change, type Route } from './route.ts'

const ResourceDocument = z.strictObject({
  name: Name.describe('Absent: its id.').optional(),
  action_types: z
    .array(ActionTypeName)
    .max(200)
    .refine((types) => new Set(types).size === types.length, 'must not name a type twice')
    .meta({ description: 'Absent: not narrowed.', uniqueItems: true })
    .optional(),
  token_lifetime_seconds: z.int().min(1).max(300).describe("Absent: the server's default. Unit: seconds.").optional(),
  enforcement: z
    .enum(['consume', 'offline'])
    .describe(
      '"consume": its server uses every token up here before it acts, so one that was not used up was not used.',
    )
    .default('offline'),
  token_content: z.enum(['full', 'digest']).describe('"digest": digestible members travel as digests.').default('full'),
  limits: Limits.describe('Counted for every token for it, whoever acts.').optional(),
})
type ResourceDocument = z.output<typeof ResourceDocument>

/** What the identifier may be depends on who the issuer is. */
const registrationFor = (issuer: string) =>
  ResourceDocument.extend({
    id: Id,
    identifier: z
      .string()
      .superRefine((identifier, context) => {
        const refusal = checkResourceIdentifier(identifier, issuer)
        if (refusal !== undefined) context.addIssue({ code: 'custom', message: refusal.detail })
      })
      .meta({
        description: 'An absolute URI without query, fragment and user information: the "aud" of its tokens.',
        ...{ format: 'uri', maxLength: MAX_IDENTIFIER_LENGTH, examples: ['https://mail.example'] },
      }),
    keys: Keys,
  }).meta({ id: 'ResourceRegistration' })

const Resource = z
  .object({
    ...{ id: z.string(), identifier: z.string(), name: z.string() },
    action_types: z.array(z.string()).describe('Absent: not narrowed.').optional(),
    token_lifetime_seconds: z.int().describe("Absent: the server's default. Unit: seconds.").optional(),
    enforcement: z.enum(['consume', 'offline']),
    token_content: z.enum(['full', 'digest']),
    limits: ShownLimits.optional(),
    keys: z.array(ShownKey).describe('Active ones only.'),
    ...stateShown,
  })
  .meta({ id: 'Resource' })

const toMembers = (document: ResourceDocument, id: string) => ({
  name: document.name ?? id,
  actionTypes: document.action_types ?? ('all' as const),
  tokenLifetimeSeconds: document.token_lifetime_seconds ?? null,
  enforcement: document.enforcement,
  tokenContent: document.token_content,
  limits: limitsMember(document.limits),
})

const kindFor = (
  issuer: string,
): RegisteredKind<'resource', ResourceDocument, z.output<ReturnType<typeof registrationFor>>> => ({
  noun: 'resource',
  path: '/resources',
  title: 'a resource',
  name: 'Resource',
  shows: Resource,
  registration: registrationFor(issuer),
  toNew: ({ id, identifier, keys, ...document }) => ({
    entity: { id, identifier, identifierFolded: foldIdentifier(identifier), ...toMembers(document, id) },
    keys,
  }),
  document: ResourceDocument,
  toDocument: ({ name, actionTypes, tokenLifetimeSeconds, enforcement, tokenContent, limits }) =>
    withoutNulls<JsonValue>({
      name,
      action_types: actionTypes === 'all' ? null : actionTypes,
      token_lifetime_seconds: tokenLifetimeSeconds,
      enforcement,
      token_content: tokenContent,
      limits: limitsDocument(limits),
    }),
  toMembers,
  fixed: { id: IMMUTABLE, identifier: IMMUTABLE, keys: 'is changed at /keys' },
  view: (resource) => ({
    id: resource.id,
    identifier: resource.identifier,
    name: resource.name,
    action_types: resource.actionTypes === 'all' ? undefined : resource.actionTypes,
    token_lifetime_seconds: resource.tokenLifetimeSeconds ?? undefined,
    enforcement: resource.enforcement,
    token_content: resource.tokenContent,
    limits: limitsView(resource),
    keys: resource.keys.map(keyView),
    ...stateView(resource),
  }),
  verbs: ['suspend', 'resume'],
})

export function resourceRoutes(issuer: string): readonly Route[] {
  const kind = kindFor(issuer)
  return [
    ...registeredRoutes(kind),
    change({
      ...{ method: 'DELETE', path: '/resources/:id', status: 200, body: ReasonOnly },
      ...{ operation: 'retireResource', shows: Resource, isVersioned: true },
      // The tombstone keeps id and identifier taken: old delegations must never come to mean a new resource.
      summary: 'Retires a resource, for ever.',
      run: (ports, call: ChangeCall<RegisteredResource>, { params: { id = '' }, body: { reason } }) =>
        changeStatus(ports, call, { noun: 'resource', id, verb: 'retire', reason }),
      show: (resource) => ({ view: kind.view(resource), etag: entityTag(resource.version) }),
    }),
    ...keyRoutes('resource', '/resources'),
  ]
}
