import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpSignInLinks } from '../../commands/admin/look-up.ts'
import type { RegisteredSignInLink } from '../../commands/admin/registered.ts'
import {
  MAX_SIGN_IN_LINK_SECONDS,
  type OfferedSignInLink,
  offerSignInLink,
  withdrawSignInLinks,
} from '../../commands/admin/sign-in-links.ts'
import { Moment } from './members.ts'
import { change, list, type Route } from './route.ts'

const PATH = '/principals/:id/sign-in-links'

const SignInLinkOffer = z
  .strictObject({
    expires_in: z.number().int().min(1).max(MAX_SIGN_IN_LINK_SECONDS).describe('Unit: seconds.').optional(),
  })
  .meta({ id: 'SignInLinkOffer' })

const OfferedLink = z
  .object({
    ...{ id: z.string(), expires_at: Moment },
    url: z.string().describe('Signs in whoever opens it first. A secret, told in this answer and never again.'),
  })
  .meta({ id: 'OfferedSignInLink' })
const SignInLink = z
  .object({
    id: z.string(),
    status: z.enum(['open', 'used', 'withdrawn', 'expired']),
    created_by: z.string(),
    created_at: Moment,
    expires_at: Moment,
    used_at: Moment.optional(),
  })
  .meta({ id: 'SignInLink' })
const Withdrawn = z.object({ withdrawn: z.array(z.string()).describe('Ids of sign-in links.') })

/** One-time links by which principals sign in. The link is in the answer that made it, and in no other. */
export const signInLinkRoutes = (issuer: string): readonly Route[] => [
  change({
    ...{ method: 'POST', path: PATH, summary: 'Makes a one-time link by which the principal signs in.', status: 201 },
    ...{ operation: 'offerSignInLink', shows: OfferedLink, body: SignInLinkOffer },
    run: (ports, call: ChangeCall<OfferedSignInLink>, { params: { id = '' }, body }) =>
      offerSignInLink(ports, call, { principalId: id, expiresInSeconds: body.expires_in }),
    show: ({ link, code }, exchange) => ({
      view: { id: link.id, url: `${issuer}/sign-in/link/${code}`, expires_at: link.expiresAt },
      location: exchange.path,
    }),
    // The link is a secret, and what is kept for a repeat holds none: a repeat is told which link it was.
    repeatRefusal: ({ link }) => `the first request made ${link.id}; its link was told then, and once`,
  }),
  list({
    ...{ path: PATH, summary: 'Lists sign-in links, newest first, without the links.', filters: z.strictObject({}) },
    ...{ operation: 'listSignInLinks', shows: SignInLink },
    run: (ports, { params: { id = '' }, page }) => lookUpSignInLinks(ports, id, page),
    view: (link, exchange) => view(link, exchange.ports.now()),
    position: ({ id }) => id,
  }),
  ...[PATH, `${PATH}/:link`].map((path) =>
    change({
      ...{ method: 'DELETE' as const, path, status: 200 as const, body: z.strictObject({}) },
      ...{ operation: path === PATH ? 'withdrawSignInLinks' : 'withdrawSignInLink', shows: Withdrawn },
      summary: path === PATH ? 'Withdraws all open sign-in links of a principal.' : 'Withdraws a sign-in link.',
      run: (ports, call: ChangeCall<{ readonly withdrawn: readonly string[] }>, { params: { id = '', link } }) =>
        withdrawSignInLinks(ports, call, { principalId: id, id: link }),
      show: ({ withdrawn }) => ({ view: { withdrawn } }),
    }),
  ),
]

const view = (link: RegisteredSignInLink, now: Date) => ({
  id: link.id,
  status: statusOf(link, now),
  created_by: link.createdBy,
  created_at: link.createdAt,
  expires_at: link.expiresAt,
  used_at: link.usedAt ?? undefined,
})

function statusOf({ usedAt, withdrawnAt, expiresAt }: RegisteredSignInLink, now: Date) {
  if (usedAt !== null) return 'used'
  if (withdrawnAt !== null) return 'withdrawn'
  return expiresAt > now ? 'open' : 'expired'
}
