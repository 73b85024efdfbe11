import Router from '@koa/router'
import type { Context } from 'koa'
import type { LoginCall } from '../../../commands/people/logins.ts'
import {
  addPasskey,
  listPasskeys,
  MAX_LABEL,
  offerPasskey,
  type Passkey,
  type PasskeyPorts,
  removePasskey,
  renamePasskey,
} from '../../../commands/people/passkeys.ts'
import { isRefusal, refuse } from '../../../core/refusal.ts'
import { button, field, postForm } from '../components/form.ts'
import { card, facts, folded, heading, list, notice } from '../components/parts.ts'
import { PASSKEY_SCRIPTS, passkeyForm } from '../components/passkey-form.ts'
import { seenText } from '../components/seen-text.ts'
import { ago, time } from '../components/time.ts'
import { type Html, html } from '../html.ts'
import { idIn } from '../is-id.ts'
import { answerPage } from '../page.ts'
import { challengeCookie } from '../passkey-challenge.ts'
import type { Sealing } from '../sealed-cookie.ts'
import type { Sessions, SignedIn } from '../session.ts'
import { answerOptions, answerScript } from '../sign-in/passkey-routes.ts'
import { answerRefused } from '../sign-in/refused-page.ts'
import { goTo } from '../sign-in/sign-in-parts.ts'

export interface PasskeyRouterParts {
  readonly sessions: Sessions
  readonly ports: PasskeyPorts
  readonly sealing: Sealing
  readonly now: () => Date
}

const PATH = '/me/passkeys'

/** `/me/passkeys`: the passkeys of a principal, to add, rename and remove. */
export function passkeyRouter({ sessions, ports, sealing, now }: PasskeyRouterParts): Router {
  const router = new Router({ strict: true, sensitive: true })
  const challenges = challengeCookie(sealing, now)
  const show = async (context: Context) => {
    const signedIn = signedInOf(context)
    const passkeys = await listPasskeys(ports, signedIn.principalId)
    answerPage(context, page(signedIn, passkeys, now(), ports.webauthn !== undefined))
  }
  router.get(PATH, sessions.requireSignedIn, show)
  router.post(`${PATH}/options`, sessions.requireSignedIn, async (context) => {
    const { principalId, principalName, loginId } = signedInOf(context)
    const form = await sessions.readGuardedForm(context)
    const options = isRefusal(form) ? form : await offerPasskey(ports, { id: principalId, name: principalName })
    if (isRefusal(options)) return answerScript(context, options)
    challenges.give(context, { challenge: options.challenge, loginId })
    answerOptions(context, options.json)
  })
  router.post(PATH, sessions.requireSignedIn, async (context) => {
    const form = await sessions.readGuardedForm(context)
    if (isRefusal(form)) return answerRefused(context, form, signedInOf(context))
    const held = challenges.take(context)
    // Asked by this login, and by no other: an answer that was made elsewhere adds no passkey here.
    const outcome =
      held === undefined || held.loginId !== signedInOf(context).loginId
        ? refuse('sign_in_refused', 'this browser was asked nothing, or too long ago; try again')
        : await addPasskey(ports, callOf(context), {
            ...{ answer: form.get('answer') ?? '', challenge: held.challenge, label: form.get('label') ?? '' },
          })
    if (isRefusal(outcome)) return answerRefused(context, outcome, signedInOf(context))
    goTo(context, PATH)
  })
  router.post(`${PATH}/:id/rename`, sessions.requireSignedIn, async (context) => {
    const form = await sessions.readGuardedForm(context)
    const refused = isRefusal(form)
      ? form
      : await renamePasskey(ports, callOf(context), { id: idIn(context.params.id), label: form.get('label') ?? '' })
    if (refused !== undefined) return answerRefused(context, refused, signedInOf(context))
    goTo(context, PATH)
  })
  router.post(`${PATH}/:id/remove`, sessions.requireSignedIn, async (context) => {
    const form = await sessions.readGuardedForm(context)
    const refused = isRefusal(form) ? form : await removePasskey(ports, callOf(context), idIn(context.params.id))
    if (refused !== undefined) return answerRefused(context, refused, signedInOf(context))
    goTo(context, PATH)
  })
  return router
}

const signedInOf = (context: Context): SignedIn => context.state.signedIn

const callOf = (context: Context): LoginCall => {
  const { principalId, loginId } = signedInOf(context)
  return { principalId, loginId, requestId: String(context.state.requestId) }
}

function page(signedIn: SignedIn, passkeys: readonly Passkey[], now: Date, isPossible: boolean) {
  return {
    ...{ title: 'Your passkeys', signedIn, nav: 'logins' as const },
    ...(isPossible && { scripts: PASSKEY_SCRIPTS }),
    body: html`${heading('Your passkeys', "Sign in with your fingerprint, your face or your device's PIN, here and nowhere else.")}
${card({
  title: 'In use',
  body: list(
    passkeys.map((passkey) => item(signedIn, passkey, now)),
    'You have none yet.',
  ),
})}
${
  isPossible
    ? card({
        title: 'Add a passkey',
        body: passkeyForm({
          ...{ purpose: 'add', action: PATH, label: 'Add a passkey', signedIn },
          fields: field({
            ...{ name: 'label', label: 'Name', hint: 'So that you know it again: "Laptop", "Key ring".' },
            ...{ isRequired: true, maxLength: MAX_LABEL, autocomplete: 'off' },
          }),
        }),
      })
    : notice(
        'info',
        'There are no passkeys here',
        'This server is reached by an IP address, and passkeys are made for names. Sign in by a link.',
      )
}`,
  }
}

function item(signedIn: SignedIn, { id, label, createdAt, lastUsedAt }: Passkey, now: Date): Html {
  return html`${facts([
    ['Name', seenText(label)],
    ['Added', time(createdAt, now)],
    ['Last used', lastUsedAt === null ? 'Never' : ago(lastUsedAt, now)],
  ])}
${folded('Rename or remove', [
  postForm({
    ...{ action: `${PATH}/${id}/rename`, signedIn },
    content: html`<div class="field"><label for="label-${id}">New name</label><input id="label-${id}" name="label" type="text" value="${label}" required maxlength="${MAX_LABEL}" autocomplete="off"></div>
${button({ label: 'Rename', manner: 'secondary', about: label })}`,
  }),
  postForm({
    ...{ action: `${PATH}/${id}/remove`, signedIn },
    content: button({ label: 'Remove, for ever', manner: 'danger', about: label }),
  }),
])}`
}
