import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpEnrolment, lookUpEnrolments } from '../../commands/admin/look-up.ts'
import { MAX_ENROLMENT_SECONDS, type OfferedEnrolment, offerEnrolment } from '../../commands/admin/offer-enrolment.ts'
import type { RegisteredEnrolment } from '../../commands/admin/registered.ts'
import { withdrawEnrolments } from '../../commands/admin/withdraw-enrolments.ts'
import { Moment } from './members.ts'
import { change, list, type Route, show } from './route.ts'

const PATH = '/agents/:id/enrolments'

const EnrolmentOffer = z
  .strictObject({
    jkt: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'must be an RFC 7638 thumbprint')
      .describe('RFC 7638 thumbprint of the only key that the code fits. Absent: any new key.')
      .optional(),
    expires_in: z.number().int().min(1).max(MAX_ENROLMENT_SECONDS).describe('Unit: seconds.').optional(),
  })
  .meta({ id: 'EnrolmentOffer' })

const OfferedCode = z
  .object({
    ...{ id: z.string(), expires_at: Moment, jkt: z.string().optional() },
    code: z.string().describe('A secret, told in this answer and never again.'),
  })
  .meta({ id: 'OfferedEnrolment' })
const Enrolment = z
  .object({
    id: z.string(),
    status: z.enum(['open', 'used', 'withdrawn', 'expired']),
    jkt: z.string().describe('The only key that the code fits. Absent: any new key.').optional(),
    kid: z.string().describe('The key that was bound.').optional(),
    created_by: z.string(),
    created_at: Moment,
    expires_at: Moment,
    used_at: Moment.optional(),
  })
  .meta({ id: 'Enrolment' })
const Withdrawn = z.object({ withdrawn: z.array(z.string()).describe('Ids of enrolments.') })

/** One-time codes by which an agent binds a key itself. The code is in the answer that made it, and in no other. */
export const enrolmentRoutes: readonly Route[] = [
  change({
    ...{ method: 'POST', path: PATH, summary: 'Makes a one-time code for one more key.', status: 201 },
    ...{ operation: 'offerAgentEnrolment', shows: OfferedCode, body: EnrolmentOffer },
    run: (ports, call: ChangeCall<OfferedEnrolment>, { params: { id = '' }, body }) =>
      offerEnrolment(ports, call, { agentId: id, jkt: body.jkt, expiresInSeconds: body.expires_in }),
    show: ({ enrolment, code }, exchange) => ({
      view: { id: enrolment.id, code, expires_at: enrolment.expiresAt, ...(enrolment.jkt && { jkt: enrolment.jkt }) },
      location: `${exchange.path}/${enrolment.id}`,
    }),
    // The code is a secret, and what is kept for a repeat holds none: a repeat is told which enrolment it was.
    repeatRefusal: ({ enrolment }) => `the first request made ${enrolment.id}; its code was told then, and once`,
  }),
  list({
    ...{ path: PATH, summary: 'Lists codes, newest first, without the codes.', filters: z.strictObject({}) },
    ...{ operation: 'listAgentEnrolments', shows: Enrolment },
    run: (ports, { params: { id = '' }, page }) => lookUpEnrolments(ports, id, page),
    view: (enrolment, exchange) => view(enrolment, exchange.ports.now()),
    position: ({ id }) => id,
  }),
  show({
    ...{ path: `${PATH}/:enrolment`, summary: 'Shows what became of a code.' },
    ...{ operation: 'showAgentEnrolment', shows: Enrolment },
    run: (ports, { id = '', enrolment = '' }) => lookUpEnrolment(ports, id, enrolment),
    show: (enrolment, exchange) => ({ view: view(enrolment, exchange.ports.now()) }),
  }),
  ...[PATH, `${PATH}/:enrolment`].map((path) =>
    change({
      ...{ method: 'DELETE' as const, path, status: 200 as const, body: z.strictObject({}) },
      ...{ operation: path === PATH ? 'withdrawAgentEnrolments' : 'withdrawAgentEnrolment', shows: Withdrawn },
      summary: path === PATH ? 'Withdraws all open codes of an agent.' : 'Withdraws a code.',
      run: (ports, call: ChangeCall<{ readonly withdrawn: readonly string[] }>, { params: { id = '', enrolment } }) =>
        withdrawEnrolments(ports, call, { agentId: id, id: enrolment }),
      show: ({ withdrawn }) => ({ view: { withdrawn } }),
    }),
  ),
]

const view = (enrolment: RegisteredEnrolment, now: Date) => ({
  id: enrolment.id,
  status: statusOf(enrolment, now),
  jkt: enrolment.jkt ?? undefined,
  kid: enrolment.kid ?? undefined,
  created_by: enrolment.createdBy,
  created_at: enrolment.createdAt,
  expires_at: enrolment.expiresAt,
  used_at: enrolment.usedAt ?? undefined,
})

function statusOf({ usedAt, withdrawnAt, expiresAt }: RegisteredEnrolment, now: Date) {
  if (usedAt !== null) return 'used'
  if (withdrawnAt !== null) return 'withdrawn'
  return expiresAt > now ? 'open' : 'expired'
}
