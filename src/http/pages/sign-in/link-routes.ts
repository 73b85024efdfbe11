import type Router from '@koa/router'
import { type LinkPorts, lookAtLink, signInByLink } from '../../../commands/people/sign-in-by-link.ts'
import { isRefusal } from '../../../core/refusal.ts'
import { button, postForm } from '../components/form.ts'
import { card, heading } from '../components/parts.ts'
import { time } from '../components/time.ts'
import { html } from '../html.ts'
import { answerPage } from '../page.ts'
import { answerRefused } from './refused-page.ts'
import { browserOf, finishSignIn, rememberedThen, type SignInParts } from './sign-in-parts.ts'

const PATH = '/sign-in/link/:code'

/**
 * The one-time link: a page that asks, and the form that signs in.
 *
 * DECISION: opening the link does not use it up. Programs open links too, to look at what is behind them (mail scanners, previews of
 * messengers), and the person would find it used.
 */
export function addLinkRoutes(
  router: Router,
  parts: SignInParts & { readonly ports: LinkPorts; readonly now: () => Date },
): void {
  const { ports, sessions, throttle, now } = parts
  router.get(PATH, async (context) => {
    const code = context.params.code ?? ''
    const link = await lookAtLink(ports, code)
    if (isRefusal(link)) return answerRefused(context, throttle.failed(context, link))
    const title = `Sign in as ${link.principalName}`
    answerPage(context, {
      title,
      body: html`${heading(title, 'This link is for one browser, once.')}
${card({
  body: html`<p>Whoever presses the button is signed in as <strong>${link.principalName}</strong> and can let agents act, approve what they ask for, and stop them. Press it only on a device of your own.</p>
<p class="dim">The link ends ${time(link.expiresAt, now())}.</p>`,
  foot: postForm({ action: context.path, content: button({ label: 'Sign in' }) }),
})}`,
    })
    // The address holds the secret: not even this server is told it as a referrer. The origin alone is what guards the form.
    context.set('Referrer-Policy', 'strict-origin')
  })
  router.post(PATH, async (context) => {
    const form = await sessions.readOwnForm(context)
    if (isRefusal(form)) return answerRefused(context, form)
    const outcome = await signInByLink(ports, context.params.code ?? '', browserOf(context, sessions))
    finishSignIn(context, parts, outcome, rememberedThen(context))
  })
}
