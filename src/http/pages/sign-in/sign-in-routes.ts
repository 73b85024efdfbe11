import Router from '@koa/router'
import { endLogin, type LoginPorts } from '../../../commands/people/logins.ts'
import type { LinkPorts } from '../../../commands/people/sign-in-by-link.ts'
import type { PasskeySignInPorts } from '../../../commands/people/sign-in-by-passkey.ts'
import type { UpstreamPorts } from '../../../commands/people/sign-in-by-upstream.ts'
import { isRefusal } from '../../../core/refusal.ts'
import { button, postForm } from '../components/form.ts'
import { card, heading } from '../components/parts.ts'
import { PASSKEY_SCRIPTS, passkeyForm } from '../components/passkey-form.ts'
import { html } from '../html.ts'
import { answerPage } from '../page.ts'
import type { Sealing } from '../sealed-cookie.ts'
import { pathAfterSignIn } from '../session.ts'
import { addLinkRoutes } from './link-routes.ts'
import { addPasskeyRoutes } from './passkey-routes.ts'
import { answerRefused } from './refused-page.ts'
import { goTo, rememberThen, type SignInParts } from './sign-in-parts.ts'
import { addUpstreamRoutes } from './upstream-routes.ts'

export interface SignInRouterParts extends SignInParts {
  readonly ports: LinkPorts & LoginPorts & PasskeySignInPorts & UpstreamPorts
  readonly sealing: Sealing
  readonly now: () => Date
}

/** How principals come in, and out again. */
export function signInRouter(parts: SignInRouterParts): Router {
  const { sessions, ports } = parts
  const hasPasskeys = ports.webauthn !== undefined
  const router = new Router({ strict: true, sensitive: true })
  router.get('/sign-in', async (context) => {
    const wanted = context.query.then
    const then = pathAfterSignIn(typeof wanted === 'string' ? wanted : undefined)
    if ((await sessions.signedIn(context)) !== undefined) return goTo(context, then)
    rememberThen(context, then)
    const title = 'Sign in'
    answerPage(context, {
      title,
      ...(hasPasskeys && { scripts: PASSKEY_SCRIPTS }),
      body: html`${heading(title, 'See which agents act for you, decide what they ask, and stop them.')}
${
  hasPasskeys &&
  card({
    title: 'With a passkey',
    body: passkeyForm({ purpose: 'use', action: '/sign-in/passkey', label: 'Use a passkey', hidden: { then } }),
  })
}
${
  ports.upstream.length > 0 &&
  card({
    title: 'With an account that you have elsewhere',
    body: ports.upstream.map(({ name, title }) =>
      postForm({
        ...{ action: `/sign-in/upstream/${name}`, hidden: { then } },
        content: button({ label: `Sign in with ${title}`, manner: 'secondary' }),
      }),
    ),
  })
}
${card({
  title: 'With a sign-in link',
  body: html`<p>Open the link that your administrator sent you, in this browser. It signs you in once.</p>
<p class="dim">You have none, or it has ended? Ask your administrator for one: <code>writ principals sign-in-link</code> makes it.</p>`,
})}`,
    })
  })
  addLinkRoutes(router, parts)
  if (hasPasskeys) addPasskeyRoutes(router, parts)
  if (ports.upstream.length > 0) addUpstreamRoutes(router, parts)

  router.post('/sign-out', async (context) => {
    const signedIn = await sessions.signedIn(context)
    // Somebody whose login has ended is where he wants to be.
    if (signedIn !== undefined) {
      context.state.signedIn = signedIn
      const form = await sessions.readGuardedForm(context)
      if (isRefusal(form)) return answerRefused(context, form, signedIn)
      await endLogin(ports, { ...signedIn, requestId: String(context.state.requestId) }, signedIn.loginId)
    }
    sessions.forget(context)
    goTo(context, '/sign-in')
  })
  return router
}
