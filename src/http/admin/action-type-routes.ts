import { z } from 'zod'
import type { RegisteredActionType } from '../../commands/admin/registered.ts'
import { ActionTypeDefinition, Risk } from '../../core/action/action-type.ts'
import { ActionTypeName } from './members.ts'
import { IMMUTABLE, registeredRoutes, stateShown, stateView } from './registered-routes.ts'
import type { Route } from './route.ts'

const ActionTypeDocument = ActionTypeDefinition.omit({ type: true })
type ActionTypeDocument = z.output<typeof ActionTypeDocument>
const ActionTypeRegistration = ActionTypeDefinition.extend({ type: ActionTypeName }).meta({
  id: 'ActionTypeRegistration',
})

const ActionType = z
  .object({
    ...{ type: z.string(), title: z.string() },
    schema: z.record(z.string(), z.json()).describe('JSON Schema 2020-12 of its members.'),
    digestible: z.record(z.string(), z.enum(['utf8', 'jcs'])).describe('Member path to what is hashed.'),
    template: z.string().describe('The sentence an approver reads.'),
    ...{ risk: Risk, single_use: z.boolean(), version: z.int().min(1), built_in: z.boolean() },
    ...stateShown,
  })
  .meta({ id: 'ActionType' })

const toMembers = ({ title, schema, digestible, template, risk, single_use }: ActionTypeDocument) => ({
  ...{ title, schema, digestible, template, risk },
  // What changes something may not be done twice with one token, unless its administrator says so.
  isSingleUse: single_use ?? risk !== 'read',
})

/** What is shown of an action type, to administrators and to everyone. */
export const definitionView = (type: RegisteredActionType) => ({
  type: type.id,
  title: type.title,
  schema: type.schema,
  digestible: type.digestible,
  template: type.template,
  risk: type.risk,
  single_use: type.isSingleUse,
  version: type.version,
})

export const actionTypeRoutes: readonly Route[] = registeredRoutes({
  noun: 'action_type',
  path: '/action-types',
  title: 'an action type',
  name: 'ActionType',
  shows: ActionType,
  registration: ActionTypeRegistration,
  toNew: ({ type, ...document }) => ({ entity: { id: type, ...toMembers(document) } }),
  document: ActionTypeDocument,
  toDocument: ({ title, schema, digestible, template, risk, isSingleUse }) =>
    z.record(z.string(), z.json()).parse({ title, schema, digestible, template, risk, single_use: isSingleUse }),
  toMembers,
  fixed: { type: IMMUTABLE },
  view: (type) => ({ ...definitionView(type), built_in: type.isBuiltIn, ...stateView(type) }),
  verbs: ['suspend', 'resume'],
})
