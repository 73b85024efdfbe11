import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import {
  addDownstreamRule,
  lookUpDownstreamRule,
  lookUpDownstreamRules,
  removeDownstreamRule,
} from '../../commands/admin/downstream-rules.ts'
import type { RegisteredDownstreamRule } from '../../commands/admin/registered.ts'
import { Moment } from './members.ts'
import { change, list, type Route, show } from './route.ts'

const PATH = '/resources/:id/downstream'
const MAX_PER_TOKEN = 1_000

const DownstreamRegistration = z
  .strictObject({
    from: z.json().meta({
      description: 'A bound (RFC 9396 section 2): the rule is for tokens of this resource whose action fits it.',
      examples: [{ type: 'payment_initiation', creditorName: { $any: true } }],
    }),
    to_resource: z.string().min(1).max(2_048).describe('A resource identifier: where the resource server may call.'),
    authorization_details: z
      .array(z.json())
      .min(1)
      .max(32)
      .describe('Bounds: what may be asked for there. Nothing else can be, whatever the token allows.'),
    max_per_token: z
      .int()
      .min(1)
      .max(MAX_PER_TOKEN)
      .describe('How many tokens one incoming token is good for.')
      .default(1),
  })
  .meta({ id: 'DownstreamRegistration' })

const DownstreamRule = z
  .object({
    ...{ id: z.string(), from: z.json(), to_resource: z.string(), authorization_details: z.array(z.json()) },
    max_per_token: z.int(),
    status: z.enum(['active', 'removed']),
    created_by: z.string(),
    created_at: Moment,
    removed_at: Moment.optional(),
  })
  .meta({ id: 'DownstreamRule' })

/** What a resource server may have done elsewhere. A rule is never changed: remove it and add another. */
export const downstreamRoutes: readonly Route[] = [
  change({
    ...{ method: 'POST', path: PATH, status: 201, body: DownstreamRegistration, shows: DownstreamRule },
    ...{ operation: 'addDownstreamRule', summary: 'Lets a resource server call another one for an action.' },
    run: (ports, call: ChangeCall<RegisteredDownstreamRule>, { params: { id = '' }, body }) =>
      addDownstreamRule(ports, call, {
        resourceId: id,
        from: body.from,
        toResource: body.to_resource,
        authorizationDetails: body.authorization_details,
        maxPerToken: body.max_per_token,
      }),
    show: (rule, exchange) => ({ view: view(rule), location: `${exchange.path}/${rule.id}` }),
  }),
  list({
    ...{ path: PATH, operation: 'listDownstreamRules', shows: DownstreamRule, filters: z.strictObject({}) },
    summary: 'Lists what a resource server may have done elsewhere, oldest first.',
    run: (ports, { params: { id = '' }, page }) => lookUpDownstreamRules(ports, id, page),
    view,
    position: ({ id }) => id,
  }),
  show({
    ...{ path: `${PATH}/:rule`, operation: 'showDownstreamRule', shows: DownstreamRule },
    summary: 'Shows a downstream rule.',
    run: (ports, { id = '', rule = '' }) => lookUpDownstreamRule(ports, id, rule),
    show: (rule) => ({ view: view(rule) }),
  }),
  change({
    ...{ method: 'DELETE', path: `${PATH}/:rule`, status: 200, body: z.strictObject({}), shows: DownstreamRule },
    ...{ operation: 'removeDownstreamRule', summary: 'Removes a downstream rule.' },
    run: (ports, call: ChangeCall<RegisteredDownstreamRule>, { params: { id = '', rule = '' } }) =>
      removeDownstreamRule(ports, call, { resourceId: id, id: rule }),
    show: (rule) => ({ view: view(rule) }),
  }),
]

function view(rule: RegisteredDownstreamRule) {
  return {
    id: rule.id,
    from: rule.from,
    to_resource: rule.toResource,
    authorization_details: rule.authorizationDetails,
    max_per_token: rule.maxPerToken,
    status: rule.removedAt === null ? 'active' : 'removed',
    created_by: rule.createdBy,
    created_at: rule.createdAt,
    removed_at: rule.removedAt ?? undefined,
  }
}
