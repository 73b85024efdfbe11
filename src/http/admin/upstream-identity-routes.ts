import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpUpstreamIdentities } from '../../commands/admin/look-up.ts'
import { unbindUpstream } from '../../commands/admin/unbind-upstream.ts'
import { Moment } from './members.ts'
import { change, list, type Route } from './route.ts'

const PATH = '/principals/:id/upstream-identities'

const UpstreamIdentity = z
  .object({
    issuer: z.string(),
    subject: z.string().describe('The "sub" of the account there.'),
    created_at: Moment.describe('When somebody signed in by it first.'),
  })
  .meta({ id: 'UpstreamIdentity' })
const Unbound = z.object({ unbound: z.array(z.string()).describe('Issuers.') })

/** As whom a principal is known at upstream OpenID providers. */
export const upstreamIdentityRoutes: readonly Route[] = [
  list({
    ...{
      path: PATH,
      summary: 'Lists the accounts elsewhere by which the principal signs in.',
      filters: z.strictObject({}),
    },
    ...{ operation: 'listUpstreamIdentities', shows: UpstreamIdentity },
    run: (ports, { params: { id = '' }, page }) => lookUpUpstreamIdentities(ports, id, page),
    view: ({ issuer, subject, createdAt }) => ({ issuer, subject, created_at: createdAt }),
    position: ({ issuer }) => issuer,
  }),
  change({
    ...{ method: 'DELETE', path: PATH, status: 200, body: z.strictObject({}) },
    ...{ operation: 'unbindUpstreamIdentities', shows: Unbound },
    summary: 'Forgets them: the next account that the rule of its provider takes for the principal is bound anew.',
    run: (ports, call: ChangeCall<{ readonly unbound: readonly string[] }>, { params: { id = '' } }) =>
      unbindUpstream(ports, call, id),
    show: ({ unbound }) => ({ view: { unbound } }),
  }),
]
