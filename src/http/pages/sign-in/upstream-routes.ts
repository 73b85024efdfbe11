import type Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import {
  signInByUpstream,
  UPSTREAM_SECONDS,
  type UpstreamPorts,
  type UpstreamProvider,
} from '../../../commands/people/sign-in-by-upstream.ts'
import { isRefusal, refuse } from '../../../core/refusal.ts'
import { buttonLink } from '../components/form.ts'
import { heading } from '../components/parts.ts'
import { html } from '../html.ts'
import { answerPage } from '../page.ts'
import { type Sealing, sealedCookie } from '../sealed-cookie.ts'
import { pathAfterSignIn } from '../session.ts'
import { answerRefused } from './refused-page.ts'
import { browserOf, finishSignIn, type SignInParts } from './sign-in-parts.ts'

export interface UpstreamRouteParts extends SignInParts {
  readonly ports: UpstreamPorts
  readonly sealing: Sealing
  readonly now: () => Date
}

/** What a browser that is away at a provider holds: which provider it went to, and what only its own answer has. */
const Away = z.strictObject({
  issuer: z.string().max(512),
  request: z.strictObject({
    state: z.string().min(16).max(128),
    nonce: z.string().min(16).max(128),
    codeVerifier: z.string().min(43).max(128),
  }),
  goesTo: z.string().max(2_048),
})

const PATH = '/sign-in/upstream/:name'
const ANOTHER = refuse('sign_in_refused', 'this browser did not start this sign-in, or too long ago; start again')

/** Sign-in by an upstream provider: away, and back. Each provider has an address of its own to come back to (RFC 9700 §4.4.2). */
export function addUpstreamRoutes(router: Router, parts: UpstreamRouteParts): void {
  const { issuer, ports, sessions, throttle, sealing, now } = parts
  const away = sealedCookie({
    ...{ name: '__Host-writ_upstream', content: Away, lifetimeSeconds: UPSTREAM_SECONDS, sealing, now },
  })
  const providerOf = (context: Context & { readonly params: Readonly<Record<string, string>> }) =>
    ports.upstream.find(({ name }) => name === context.params.name) ?? refuse('not_found', 'there is no such provider')
  const redirectUri = ({ name }: UpstreamProvider) => `${issuer}/sign-in/upstream/${name}/callback`

  router.post(PATH, async (context) => {
    const provider = providerOf(context)
    if (isRefusal(provider)) return answerRefused(context, provider)
    const form = await sessions.readOwnForm(context)
    if (isRefusal(form)) return answerRefused(context, form)
    const begun = await provider.begin(redirectUri(provider))
    if (isRefusal(begun)) return answerRefused(context, throttle.failed(context, begun))
    const goesTo = pathAfterSignIn(form.get('then'))
    away.give(context, { issuer: provider.issuer, request: begun.request, goesTo })
    // By a page and not by a redirect: where a form may lead is part of its page's policy, and that page knows no provider's addresses.
    const title = `To ${provider.title}`
    answerPage(context, {
      title,
      body: html`${heading(title, 'You sign in there and come back.')}
<p>${buttonLink({ label: `Go on to ${provider.title}`, href: begun.url, manner: 'primary' })}</p>`,
    })
    context.set('Refresh', `0; url=${begun.url}`)
  })

  router.get(`${PATH}/callback`, async (context) => {
    const provider = providerOf(context)
    if (isRefusal(provider)) return answerRefused(context, provider)
    const held = away.take(context)
    // The browser that comes back is the one that went away, and to this provider (mix-up, RFC 9700 §4.4; login CSRF, §4.7).
    const outcome =
      held === undefined || held.issuer !== provider.issuer
        ? ANOTHER
        : await signInByUpstream(
            ports,
            provider,
            { callback: `${redirectUri(provider)}${context.search}`, request: held.request },
            browserOf(context, sessions),
          )
    finishSignIn(context, parts, outcome, held?.goesTo)
  })
}
