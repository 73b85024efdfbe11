import { z } from 'zod'
import { keyRoutes } from './key-routes.ts'
import { Id, Keys, keyView, Name, ShownKey } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const SCOPES = ['admin', 'admin:read', 'admin:approve'] as const
const ScopeName = z.enum(SCOPES)

/** As OAuth writes it, names separated by a space (RFC 6749 §3.3); a list will do. */
const Scope = z
  .union([
    z
      .string()
      .max(200)
      .transform((text) => text.split(' ')),
    z.array(z.string()).max(SCOPES.length),
  ])
  .pipe(z.array(ScopeName).min(1).max(SCOPES.length))
  .refine((names) => new Set(names).size === names.length, 'must not name a scope twice')
  .meta({
    description: 'Names separated by a space (RFC 6749 section 3.3), or a list of them.',
    asJson: {
      anyOf: [
        { type: 'string', pattern: `^(${SCOPES.join('|')})( (${SCOPES.join('|')})){0,2}$`, examples: ['admin:read'] },
        { type: 'array', items: { type: 'string', enum: [...SCOPES] }, minItems: 1, maxItems: 3, uniqueItems: true },
      ],
    },
  })

const AdministratorDocument = z.strictObject({
  name: Name.describe('Absent: its id.').optional(),
  scope: Scope,
})
const AdministratorRegistration = AdministratorDocument.extend({ id: Id, keys: Keys }).meta({
  id: 'ClientRegistration',
})

const Client = z
  .object({
    ...{ id: z.string(), name: z.string(), scope: z.string().describe('Names separated by a space.') },
    keys: z.array(ShownKey).describe('Active ones only.'),
    ...stateShown,
  })
  .meta({ id: 'Client' })

const toMembers = ({ name, scope }: z.output<typeof AdministratorDocument>, id: string) => ({ name: name ?? id, scope })

export const administratorRoutes: readonly Route[] = [
  ...registeredRoutes({
    noun: 'administrator',
    path: '/clients',
    title: 'a client of the admin API',
    name: 'Client',
    shows: Client,
    registration: AdministratorRegistration,
    toNew: ({ id, keys, ...document }) => ({ entity: { id, ...toMembers(document, id) }, keys }),
    document: AdministratorDocument,
    toDocument: ({ name, scope }) => ({ name, scope: scope.join(' ') }),
    toMembers,
    fixed: { id: IMMUTABLE, keys: 'is changed at /keys' },
    view: (client) => ({
      id: client.id,
      name: client.name,
      scope: client.scope.join(' '),
      keys: client.keys.map(keyView),
      ...stateView(client),
    }),
    verbs: [],
  }),
  ...keyRoutes('administrator', '/clients'),
]
