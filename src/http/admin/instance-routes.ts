import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpInstance, lookUpInstances } from '../../commands/admin/look-up.ts'
import type { RegisteredInstance } from '../../commands/admin/registered.ts'
import { stopInstance } from '../../commands/admin/stop-instance.ts'
import { Moment, ReasonOnly, ShownJwk } from './members.ts'
import { change, list, type Route, show } from './route.ts'

const PATH = '/agents/:id/instances'

const Instance = z
  .object({
    kid: z.string().describe('RFC 7638 thumbprint of its key: "jkt" in the account and in "cnf" of its tokens.'),
    jwk: ShownJwk,
    status: z.enum(['active', 'stopped', 'expired']),
    vouched_by: z.string().describe('The registered key that vouched for it last.'),
    created_at: Moment,
    expires_at: Moment,
    stopped_at: Moment.optional(),
  })
  .meta({ id: 'Instance' })
const Filters = z.strictObject({ status: z.literal('active').describe('Only those that may act now.').optional() })

/** Keys under an agent that nobody registered: a registered key vouched for each, for a time. They are listed and stopped. */
export const instanceRoutes: readonly Route[] = [
  list({
    ...{ path: PATH, summary: 'Lists instances, those that are over included, in order of kid.', filters: Filters },
    ...{ operation: 'listAgentInstances', shows: Instance },
    run: (ports, { params: { id = '' }, page, filter }) =>
      lookUpInstances(ports, id, { isInForce: filter.status === 'active' }, page),
    view: (instance, exchange) => view(instance, exchange.ports.now()),
    position: ({ kid }) => kid,
  }),
  show({
    ...{ path: `${PATH}/:kid`, summary: 'Shows an instance.', operation: 'showAgentInstance', shows: Instance },
    run: (ports, { id = '', kid = '' }) => lookUpInstance(ports, id, kid),
    show: (instance, exchange) => ({ view: view(instance, exchange.ports.now()) }),
  }),
  change({
    ...{
      method: 'DELETE',
      path: `${PATH}/:kid`,
      summary: 'Stops an instance, for ever.',
      status: 200,
      body: ReasonOnly,
    },
    ...{ operation: 'stopAgentInstance', shows: Instance },
    run: (ports, call: ChangeCall<RegisteredInstance>, { params: { id = '', kid = '' }, body: { reason } }) =>
      stopInstance(ports, call, { agentId: id, kid, reason }),
    show: (instance, exchange) => ({ view: view(instance, exchange.ports.now()) }),
  }),
]

const view = (instance: RegisteredInstance, now: Date) => ({
  kid: instance.kid,
  jwk: { ...instance.jwk, kid: instance.kid },
  status: instance.stoppedAt !== null ? 'stopped' : instance.expiresAt > now ? 'active' : 'expired',
  vouched_by: instance.vouchedBy,
  created_at: instance.createdAt,
  expires_at: instance.expiresAt,
  stopped_at: instance.stoppedAt ?? undefined,
})
