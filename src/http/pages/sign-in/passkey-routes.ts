import type Router from '@koa/router'
import type { Context } from 'koa'
import {
  offerPasskeySignIn,
  type PasskeySignInPorts,
  signInByPasskey,
} from '../../../commands/people/sign-in-by-passkey.ts'
import { isRefusal, type Refusal, refuse } from '../../../core/refusal.ts'
import { challengeCookie } from '../passkey-challenge.ts'
import type { Sealing } from '../sealed-cookie.ts'
import { answerRefused, statusOf } from './refused-page.ts'
import { browserOf, finishSignIn, type SignInParts } from './sign-in-parts.ts'

export interface PasskeyRouteParts extends SignInParts {
  readonly ports: PasskeySignInPorts
  readonly sealing: Sealing
  readonly now: () => Date
}

const PATH = '/sign-in/passkey'

/** Sign-in by passkey: what the authenticator is asked, and what it answered. */
export function addPasskeyRoutes(router: Router, parts: PasskeyRouteParts): void {
  const { ports, sessions, sealing, now } = parts
  const challenges = challengeCookie(sealing, now)
  router.post(`${PATH}/options`, async (context) => {
    const form = await sessions.readOwnForm(context)
    const options = isRefusal(form) ? form : await offerPasskeySignIn(ports)
    if (isRefusal(options)) return answerScript(context, options)
    challenges.give(context, { challenge: options.challenge })
    answerOptions(context, options.json)
  })
  router.post(PATH, async (context) => {
    const form = await sessions.readOwnForm(context)
    if (isRefusal(form)) return answerRefused(context, form)
    const held = challenges.take(context)
    const outcome =
      held === undefined || held.loginId !== undefined
        ? refuse('sign_in_refused', 'this browser was asked nothing, or too long ago; try again')
        : await signInByPasskey(
            ports,
            { answer: form.get('answer') ?? '', challenge: held.challenge },
            browserOf(context, sessions),
          )
    finishSignIn(context, parts, outcome, form.get('then'))
  })
}

/** What a script on one of our pages hands to the authenticator. */
export function answerOptions(context: Context, json: string): void {
  context.set('Cache-Control', 'no-store')
  context.type = 'application/json'
  context.body = json
}

/** The same script, told no. */
export function answerScript(context: Context, refusal: Refusal): void {
  context.state.refusal = refusal.code
  context.status = statusOf(refusal)
  answerOptions(context, JSON.stringify({ error: refusal.code, detail: refusal.detail }))
}
