import type { Context } from 'koa'
import { buttonLink } from './components/form.ts'
import { heading } from './components/parts.ts'
import { html } from './html.ts'
import { answerPage } from './page.ts'

/** Whether a browser asks for something to show to a person. Programs do not ask for HTML. */
export const isForPerson = ({ req }: Pick<Context, 'req'>): boolean => /\btext\/html\b/.test(req.headers.accept ?? '')

/** Tells a person that something broke, or is away for now: what to do, and the request's id for whoever looks into it. */
export function answerFaultPage(context: Context, isAway: boolean): void {
  if (isAway) context.set('Retry-After', '1')
  const title = isAway ? 'This cannot be answered now' : 'Something broke'
  answerPage(context, {
    ...{ title, status: isAway ? 503 : 500 },
    body: html`${heading(title, isAway ? 'Try again in a moment.' : 'It is not your fault. Try again; if it breaks again, tell your administrator.')}
<p class="dim">Request ${String(context.state.requestId)}</p>`,
  })
}

/** Tells a person that there is nothing at this address. */
export function answerNowherePage(context: Context): void {
  answerPage(context, {
    ...{ title: 'There is nothing here', status: 404 },
    body: html`${heading('There is nothing here', 'The address is mistyped, or what was here is gone.')}
<p>${buttonLink({ label: 'To your agents', href: '/me' })}</p>`,
  })
}
