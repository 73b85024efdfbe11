import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpEnrolment, lookUpEnrolments } from '../../commands/admin/look-up.ts'
import { MAX_ENROLMENT_SECONDS, type OfferedEnrolment, offerEnrolment } from '../../commands/admin/offer-enrolment.ts'
import type { RegisteredEnrolment } from '../../commands/admin/registered.ts'
import { withdrawEnrolments } from '../../commands/admin/withdraw-enrolments.ts'
import { change, list, type Route, show } from './route.ts'

const PATH = '/agents/:id/enrolments'

const EnrolmentOffer = z.strictObject({
  /** RFC 7638 thumbprint of the only key that the code fits. Absent: any new key. */
  jkt: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'must be an RFC 7638 thumbprint')
    .optional(),
  /** Unit: seconds. */
  expires_in: z.number().int().min(1).max(MAX_ENROLMENT_SECONDS).optional(),
})

/** One-time codes by which an agent binds a key itself. The code is in the answer that made it, and in no other. */
export const enrolmentRoutes: readonly Route[] = [
  change({
    ...{ method: 'POST', path: PATH, summary: 'Makes a one-time code for one more key.', status: 201 },
    body: EnrolmentOffer,
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
    run: (ports, { params: { id = '' }, page }) => lookUpEnrolments(ports, id, page),
    view: (enrolment, exchange) => view(enrolment, exchange.ports.now()),
    position: ({ id }) => id,
  }),
  show({
    ...{ path: `${PATH}/:enrolment`, summary: 'Shows what became of a code.' },
    run: (ports, { id = '', enrolment = '' }) => lookUpEnrolment(ports, id, enrolment),
    show: (enrolment, exchange) => ({ view: view(enrolment, exchange.ports.now()) }),
  }),
  ...[PATH, `${PATH}/:enrolment`].map((path) =>
    change({
      ...{ method: 'DELETE' as const, path, status: 200 as const, body: z.strictObject({}) },
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
