import { z } from 'zod'
import { Id, Name, withoutNulls } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const Kind = z.enum(['person', 'organization', 'service'])
const PrincipalDocument = z.strictObject({
  name: Name.describe('Absent: its id.').optional(),
  email: z.email('must be an address').max(320).optional(),
})
const PrincipalRegistration = PrincipalDocument.extend({
  id: Id,
  // Absent: the kind for which nobody else may answer.
  kind: Kind.default('person'),
}).meta({ id: 'PrincipalRegistration' })

const Principal = z
  .object({ id: z.string(), kind: Kind, name: z.string(), email: z.string().optional(), ...stateShown })
  .meta({ id: 'Principal' })

const toMembers = ({ name, email }: z.output<typeof PrincipalDocument>, id: string) => ({
  name: name ?? id,
  email: email ?? null,
})

export const principalRoutes: readonly Route[] = registeredRoutes({
  noun: 'principal',
  path: '/principals',
  title: 'a principal',
  name: 'Principal',
  shows: Principal,
  registration: PrincipalRegistration,
  toNew: ({ id, kind, ...document }) => ({ entity: { id, kind, ...toMembers(document, id) } }),
  document: PrincipalDocument,
  toDocument: ({ name, email }) => withoutNulls({ name, email }),
  toMembers,
  fixed: { id: IMMUTABLE, kind: IMMUTABLE },
  view: (principal) => ({
    id: principal.id,
    kind: principal.kind,
    name: principal.name,
    email: principal.email ?? undefined,
    ...stateView(principal),
  }),
  verbs: ['suspend', 'resume'],
})
