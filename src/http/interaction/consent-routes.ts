import Router from '@koa/router'
import type { Context } from 'koa'
import type { OidcModels } from '../../commands/people/consents.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { OpenedProvider } from '../oauth/provider.ts'
import { buttonLink } from '../pages/components/form.ts'
import { heading } from '../pages/components/parts.ts'
import { html } from '../pages/html.ts'
import { answerPage } from '../pages/page.ts'
import type { Sessions } from '../pages/session.ts'
import type { SignedIn } from '../pages/signed-in.ts'
import { answerConsent, type ConsentPorts } from './answer-consent.ts'
import { answerConsentPage } from './consent-page.ts'
import { answerRefusedPage } from './consent-problem.ts'
import { type ConsentRequest, type ConsentRequestParts, readConsentRequest } from './consent-request.ts'

export interface ConsentParts extends ConsentRequestParts {
  readonly ports: ConsentPorts
  readonly sessions: Sessions
  /** The provider of now: it is built anew when a key changes. */
  readonly provider: () => OpenedProvider
  readonly models: OidcModels
}

const OVER = refuse('not_found', 'nothing is asked of you here, or its time is over')

/** The pages on which a principal is asked: for a browser that an agent sent here, and for what came by the backchannel. */
export function consentRouter(parts: ConsentParts): Router {
  const { sessions } = parts
  const router = new Router({ strict: true, sensitive: true })
  router.use(['/interaction/:uid', '/me/consents/:handle'], sessions.requireSignedIn)

  router.get('/interaction/:uid', async (context) => {
    const request = await interactionOf(parts, context)
    show(parts, context, request)
  })
  router.post('/interaction/:uid', async (context) => {
    const signedIn = signedInTo(context)
    const form = await sessions.readGuardedForm(context)
    if (isRefusal(form)) return answerFormRefused(context, form, signedIn)
    const request = await interactionOf(parts, context)
    if (isRefusal(request)) return answerRefusedPage(context, request, signedIn)
    await answerConsent(parts.ports, context, {
      ...{ request, signedIn, form, action: context.path },
      finish: async (result) => {
        const next = await parts.provider().answerInteraction(context, result)
        context.redirect(next)
        context.status = 303
      },
    })
  })

  router.get('/me/consents/:handle', async (context) => {
    const found = await backchannelOf(parts, context, signedInTo(context))
    show(parts, context, isRefusal(found) ? found : found.request)
  })
  router.post('/me/consents/:handle', async (context) => {
    const signedIn = signedInTo(context)
    const form = await sessions.readGuardedForm(context)
    if (isRefusal(form)) return answerFormRefused(context, form, signedIn)
    const found = await backchannelOf(parts, context, signedIn)
    if (isRefusal(found)) return answerRefusedPage(context, found, signedIn)
    await answerConsent(parts.ports, context, {
      ...{ request: found.request, signedIn, form, action: context.path },
      finish: async (result) => {
        await parts.provider().answerRequest('BackchannelAuthenticationRequest', found.id, result)
        answerDone(context, signedIn, result === 'denied')
      },
    })
  })
  return router
}

/** Who is signed in, behind `requireSignedIn`. */
export function signedInTo(context: Context): SignedIn {
  const { signedIn } = context.state
  if (signedIn === undefined) throw new Error('a page of a principal without a principal')
  return signedIn
}

function show(parts: ConsentParts, context: Context, request: ConsentRequest | Refusal): void {
  const signedIn = signedInTo(context)
  if (isRefusal(request)) {
    answerRefusedPage(context, request, signedIn)
    return
  }
  const { maxDelegationSeconds: maxSeconds, now } = parts.ports
  answerConsentPage(context, { request, signedIn, action: context.path, maxSeconds, now: now() })
}

/** What the browser was sent here with: the cookie of this path and the path name the same, or it was another browser. */
async function interactionOf(parts: ConsentParts, context: Context): Promise<ConsentRequest | Refusal> {
  const open = await parts.provider().interaction(context)
  if (open === undefined || open.uid !== context.params.uid) return OVER
  const { uid, params, expiresAt } = open
  return readConsentRequest(parts, { model: 'Interaction', handle: sha256Base64url(uid), params, expiresAt })
}

/** What was asked of this principal, and not answered; of another principal's nobody is told that it is there. */
async function backchannelOf(
  parts: ConsentParts,
  context: Context,
  { principalId }: SignedIn,
): Promise<{ readonly request: ConsentRequest; readonly id: string } | Refusal> {
  const model = 'BackchannelAuthenticationRequest'
  const handle = String(context.params.handle)
  const stored = /^[A-Za-z0-9_-]{43}$/.test(handle) ? await parts.models.findConsent(model, handle) : undefined
  if (stored === undefined || stored.isAnswered || stored.payload.accountId !== principalId) return OVER
  const { payload, expiresAt } = stored
  const params = typeof payload.params === 'object' && payload.params !== null ? { ...payload.params } : {}
  // Who asks is whose request it is, whatever else it says.
  const request = await readConsentRequest(parts, {
    ...{ model, handle, expiresAt, params: { ...params, client_id: payload.clientId } },
  } as const)
  return isRefusal(request) ? request : { request, id: String(payload.jti) }
}

/** A form that no page of ours sent, or that was made for another login. */
export function answerFormRefused(context: Context, refusal: Refusal, signedIn: SignedIn): void {
  answerRefusedPage(context, refusal, signedIn)
  context.status = 403
}

/** The end of what does not lead on to anywhere. */
export function answerDone(context: Context, signedIn: SignedIn, isDenied: boolean): void {
  const title = isDenied ? 'You refused it' : 'You allowed it'
  answerPage(context, {
    ...{ title, signedIn },
    body: html`${heading(
      title,
      isDenied ? 'The agent is told no.' : 'The agent can go on. Take it back at any time, under your agents.',
    )}
<p>${buttonLink({ label: 'Your agents', href: '/me' })}</p>`,
  })
}
