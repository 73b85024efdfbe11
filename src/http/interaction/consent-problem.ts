import type { Context } from 'koa'
import type { Refusal } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import { buttonLink } from '../pages/components/form.ts'
import { heading } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { html } from '../pages/html.ts'
import { answerPage } from '../pages/page.ts'
import type { SignedIn } from '../pages/signed-in.ts'

/** Tells a person that something does not go on, and why. */
export function answerProblemPage(
  context: Context,
  page: {
    readonly title: string
    readonly text: string
    readonly status: number
    readonly signedIn?: SignedIn | undefined
  },
): void {
  const { title, text, status, signedIn } = page
  answerPage(context, {
    ...{ title, status, signedIn },
    body: html`${heading(title, seenText(text))}
${signedIn !== undefined && html`<p>${buttonLink({ label: 'Your agents', href: '/me' })}</p>`}`,
  })
}

/** The same for a refusal. */
export function answerRefusedPage(context: Context, refusal: Refusal, signedIn: SignedIn | undefined): void {
  context.state.refusal = refusal.code
  const isGone = refusal.code === 'status_conflict' || refusal.code === 'not_found'
  answerProblemPage(context, {
    title: isGone ? 'This is over' : 'This cannot be asked for',
    text: `${describeRefusal(refusal)}. Go back to the agent, and let it ask again.`,
    ...{ status: isGone ? 410 : 400, signedIn },
  })
}

/** A request that oidc-provider can neither serve nor send back. */
export function showProviderError(
  context: Context,
  { error, error_description }: { readonly error: string; readonly error_description?: string | undefined },
): void {
  const isFault = error === 'server_error'
  answerProblemPage(context, {
    title: isFault ? 'Something broke here' : 'This request cannot be served',
    text: isFault ? 'Go back to the agent, and try again.' : `${error}: ${error_description ?? 'no reason was given'}`,
    status: isFault ? 500 : 400,
  })
}
