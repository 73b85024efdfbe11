import Router from '@koa/router'
import type { Context } from 'koa'
import type { ModelPayload } from '../../commands/people/consents.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { button, field, postForm } from '../pages/components/form.ts'
import { card, heading } from '../pages/components/parts.ts'
import { html } from '../pages/html.ts'
import { answerPage } from '../pages/page.ts'
import type { SignedIn } from '../pages/signed-in.ts'
import type { RateLimiter } from '../rate-limit.ts'
import { answerConsent } from './answer-consent.ts'
import { answerConsentPage } from './consent-page.ts'
import { answerRefusedPage } from './consent-problem.ts'
import { type ConsentRequest, readConsentRequest } from './consent-request.ts'
import { answerDone, answerFormRefused, type ConsentParts, signedInTo } from './consent-routes.ts'

export interface DeviceParts extends ConsentParts {
  /** How many codes a principal may get wrong. */
  readonly wrongCodes: RateLimiter
}

const PATH = '/device'
const UNKNOWN = refuse('not_found', 'this code is not known, was used, or its time is over')
const TOO_MANY = refuse('rate_exceeded', 'too many codes were wrong; wait a while')

/**
 * Where a person types the code that an agent without a browser shows (RFC 8628 §3.3).
 *
 * A code that came in the address is only written into the field: whoever sends somebody a link has not shown him the device, so
 * the person compares, and goes on himself (RFC 8628 §5.4).
 */
export function deviceRouter(parts: DeviceParts): Router {
  const { sessions, ports, provider } = parts
  const router = new Router({ strict: true, sensitive: true })
  router.use([PATH], sessions.requireSignedIn)

  router.get(PATH, (context) => {
    const { user_code: written } = context.query
    answerCodePage(context, signedInTo(context), { written: typeof written === 'string' ? written.slice(0, 20) : '' })
  })
  router.post(PATH, async (context) => {
    const signedIn = signedInTo(context)
    const form = await sessions.readGuardedForm(context)
    if (isRefusal(form)) return answerFormRefused(context, form, signedIn)
    const written = form.get('user_code') ?? ''
    const found = await deviceOf(parts, written, signedIn)
    if (isRefusal(found)) {
      context.state.refusal = found.code
      const isCode = found === UNKNOWN || found === TOO_MANY
      return isCode
        ? answerCodePage(context, signedIn, { written, problem: found })
        : answerRefusedPage(context, found, signedIn)
    }
    const { request, id } = found
    const page = { request, signedIn, action: PATH, hidden: { user_code: normalized(written) } }
    if (!form.has('answer')) {
      return answerConsentPage(context, { ...page, maxSeconds: ports.maxDelegationSeconds, now: ports.now() })
    }
    await answerConsent(ports, context, {
      ...page,
      form,
      finish: async (result) => {
        await provider().answerRequest('DeviceCode', id, result)
        answerDone(context, signedIn, result === 'denied')
      },
    })
  })
  return router
}

/** As oidc-provider writes it: letters of no case, nothing between them. */
const normalized = (written: string) => written.toUpperCase().replace(/[^A-Z0-9]/g, '')

async function deviceOf(
  parts: DeviceParts,
  written: string,
  { principalId }: SignedIn,
): Promise<{ readonly request: ConsentRequest; readonly id: string } | Refusal> {
  const now = parts.ports.now()
  // Counted before it is looked up, and given back when it was right (RFC 8628 §5.1).
  if (!parts.wrongCodes.take(principalId, now)) return TOO_MANY
  const code = normalized(written)
  const payload = /^[A-Z0-9]{8}$/.test(code) ? await parts.models.findByUserCode(code) : undefined
  if (payload === undefined || !isOpen(payload, now)) return UNKNOWN
  parts.wrongCodes.giveBack(principalId, now)
  const id = String(payload.jti)
  const params = typeof payload.params === 'object' && payload.params !== null ? { ...payload.params } : {}
  const request = await readConsentRequest(parts, {
    ...{ model: 'DeviceCode', handle: sha256Base64url(id), expiresAt: new Date(Number(payload.exp) * 1_000) },
    params: { ...params, client_id: payload.clientId },
  } as const)
  return isRefusal(request) ? request : { request, id }
}

const isOpen = ({ exp, error, accountId, consumed }: ModelPayload, now: Date) =>
  Number(exp) * 1_000 > now.getTime() && error === undefined && accountId === undefined && consumed === undefined

function answerCodePage(
  context: Context,
  signedIn: SignedIn,
  { written, problem }: { readonly written: string; readonly problem?: Refusal },
): void {
  const title = 'Connect an agent'
  answerPage(context, {
    ...{ title, signedIn, status: problem === undefined ? 200 : problem === TOO_MANY ? 429 : 422 },
    body: html`${heading(title, 'Type the code that the agent, or the device it runs on, shows you.')}
${card({
  body: postForm({
    ...{ action: PATH, signedIn },
    content: html`${field({
      ...{ name: 'user_code', label: 'Code', value: written, isRequired: true, maxLength: 20, autocomplete: 'off' },
      hint: 'Eight letters. Go on only if you see the same code on a device that you started yourself.',
      problem: problem === undefined ? undefined : `${problem.detail}.`,
    })}
<div class="actions">${button({ label: 'Go on' })}</div>`,
  }),
})}`,
  })
}
