import Router from '@koa/router'
import type { Context } from 'koa'
import {
  endLogin,
  endOtherLogins,
  type Login,
  type LoginCall,
  type LoginPorts,
  listLogins,
} from '../../../commands/people/logins.ts'
import { isRefusal } from '../../../core/refusal.ts'
import { actions, button, buttonLink, postForm } from '../components/form.ts'
import { card, facts, heading, list, tag } from '../components/parts.ts'
import { seenText } from '../components/seen-text.ts'
import { ago, time } from '../components/time.ts'
import { type Html, html } from '../html.ts'
import { idIn } from '../is-id.ts'
import { answerPage } from '../page.ts'
import type { Sessions, SignedIn } from '../session.ts'
import { answerRefused } from '../sign-in/refused-page.ts'
import { goTo } from '../sign-in/sign-in-parts.ts'

export interface LoginRouterParts {
  readonly sessions: Sessions
  readonly ports: LoginPorts
  readonly now: () => Date
}

const PATH = '/me/logins'

/** `/me/logins`: where a principal is signed in, and how to end it. */
export function loginRouter({ sessions, ports, now }: LoginRouterParts): Router {
  const router = new Router({ strict: true, sensitive: true })
  router.get(PATH, sessions.requireSignedIn, async (context) => {
    const signedIn = signedInOf(context)
    answerPage(context, page(signedIn, await listLogins(ports, signedIn.principalId), now()))
  })
  router.post(`${PATH}/end-others`, sessions.requireSignedIn, async (context) => {
    const form = await sessions.readGuardedForm(context)
    if (isRefusal(form)) return answerRefused(context, form, signedInOf(context))
    await endOtherLogins(ports, callOf(context))
    goTo(context, PATH)
  })
  router.post(`${PATH}/:id/end`, sessions.requireSignedIn, async (context) => {
    const form = await sessions.readGuardedForm(context)
    const ended = isRefusal(form) ? form : await endLogin(ports, callOf(context), idIn(context.params.id))
    if (isRefusal(ended)) return answerRefused(context, ended, signedInOf(context))
    if (context.params.id === signedInOf(context).loginId) sessions.forget(context)
    goTo(context, PATH)
  })
  return router
}

const signedInOf = (context: Context): SignedIn => context.state.signedIn

const callOf = (context: Context): LoginCall => {
  const { principalId, loginId } = signedInOf(context)
  return { principalId, loginId, requestId: String(context.state.requestId) }
}

const METHODS: Readonly<Record<Login['method'], string>> = {
  link: 'Sign-in link',
  passkey: 'Passkey',
  upstream: 'Identity provider',
}

function page(signedIn: SignedIn, logins: readonly Login[], now: Date) {
  const others = logins.filter(({ id }) => id !== signedIn.loginId)
  return {
    ...{ title: 'Where you are signed in', signedIn, nav: 'logins' as const },
    body: html`${heading('Where you are signed in', 'What you do not know, end: it is refused at its next step.')}
${card({
  title: 'Browsers',
  body: list(
    logins.map((login) => item(signedIn, login, now)),
    'You are signed in nowhere.',
  ),
  ...(others.length > 0 && {
    foot: postForm({
      ...{ action: `${PATH}/end-others`, signedIn },
      content: button({ label: 'End all others', manner: 'secondary' }),
    }),
  }),
})}
${card({
  title: 'Passkeys',
  body: html`<p>A passkey signs you in with your fingerprint, your face or your device's PIN, and works for this server alone.</p>`,
  foot: actions(buttonLink({ label: 'Your passkeys', href: '/me/passkeys' })),
})}`,
  }
}

function item(signedIn: SignedIn, login: Login, now: Date): Html {
  const isThis = login.id === signedIn.loginId
  return html`${facts([
    ['Signed in', html`${time(login.createdAt, now)} ${isThis && tag('This browser', 'accent')}`],
    ['By', html`${METHODS[login.method]}${login.detail !== null && html`: ${seenText(login.detail)}`}`],
    ['Browser', login.userAgent === null ? 'It did not say.' : seenText(login.userAgent)],
    ['Last seen', ago(login.lastSeenAt, now)],
    ['Ends', time(login.expiresAt, now)],
  ])}
${postForm({
  ...{ action: `${PATH}/${login.id}/end`, signedIn },
  content: button({
    ...{ label: isThis ? 'Sign out here' : 'End', manner: 'quiet' },
    about: isThis ? 'this browser' : `the sign-in of ${login.createdAt.toISOString()}`,
  }),
})}`
}
