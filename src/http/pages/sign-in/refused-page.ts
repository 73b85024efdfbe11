import type { Context } from 'koa'
import type { Refusal, RefusalCode } from '../../../core/refusal.ts'
import { buttonLink } from '../components/form.ts'
import { heading, notice } from '../components/parts.ts'
import { html } from '../html.ts'
import { answerPage } from '../page.ts'
import type { SignedIn } from '../signed-in.ts'

interface RefusedPage {
  readonly status: number
  readonly title: string
  /** What to do about it. */
  readonly advice: string
}

const PAGES: Partial<Record<RefusalCode, RefusedPage>> = {
  sign_in_refused: {
    status: 403,
    title: 'You could not be signed in',
    advice: 'Try again, or ask your administrator for a new sign-in link.',
  },
  form_foreign: {
    status: 403,
    title: 'This was not sent from a page of this server',
    advice: 'Nothing was done. Go back to the page, load it again, and repeat what you did.',
  },
  login_missing: { status: 403, title: 'You are not signed in any more', advice: 'Sign in, and do it again.' },
  rate_exceeded: { status: 429, title: 'Too many attempts', advice: 'Wait a moment, and try again.' },
  not_found: { status: 404, title: 'There is nothing here', advice: 'It may have been removed meanwhile.' },
  request_too_large: { status: 413, title: 'That was too much', advice: 'Send less.' },
  request_not_form: { status: 415, title: 'That could not be read', advice: 'Go back, and try again.' },
  member_invalid: { status: 422, title: 'That cannot be taken', advice: 'Go back, and try again.' },
}
const OTHERWISE: RefusedPage = { status: 400, title: 'That could not be read', advice: 'Go back, and try again.' }

export const statusOf = ({ code }: Refusal): number => (PAGES[code] ?? OTHERWISE).status

/** Tells a person no, and what to do about it. The request's id is what an administrator finds the reason by. */
export function answerRefused(context: Context, refusal: Refusal, signedIn?: SignedIn): void {
  context.state.refusal = refusal.code
  const { status, title, advice } = PAGES[refusal.code] ?? OTHERWISE
  if (status === 429) context.set('Retry-After', '1')
  const why = `${refusal.detail.charAt(0).toUpperCase()}${refusal.detail.slice(1)}.`
  answerPage(context, {
    ...{ title, status, signedIn },
    body: html`${heading(title)}
${notice('warning', why, html`<p>${advice}</p>`)}
<p>${signedIn === undefined ? buttonLink({ label: 'To the sign-in', href: '/sign-in' }) : buttonLink({ label: 'To your agents', href: '/me' })}</p>
<p class="dim">Request ${String(context.state.requestId)}</p>`,
  })
}
