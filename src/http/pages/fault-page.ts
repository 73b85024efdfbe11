import type { Context } from 'koa'
import { buttonLink } from './components/form.ts'
import { heading } from './components/parts.ts'
import { html } from './html.ts'
import { answerPage } from './page.ts'

/** Where people are: whatever goes wrong there is told in words. */
const PAGES = /^\/(?:me|sign-in|sign-out|interaction|device|authorize)(?:\/|$)/

export const isPagePath = (path: string): boolean => PAGES.test(path)

/** Whether it is a browser that asks for a page, and not a program that takes anything. */
export const wantsPage = (context: Context): boolean =>
  (context.method === 'GET' || context.method === 'HEAD') && context.accepts('json', 'html') === 'html'

/** Tells a person that something broke; by the request's id an operator finds the cause. */
export function answerFaultPage(context: Context, isAway: boolean): void {
  const title = isAway ? 'Not available for the moment' : 'Something broke here'
  if (isAway) context.set('Retry-After', '1')
  answerPage(context, {
    ...{ title, status: isAway ? 503 : 500 },
    body: html`${heading(title, isAway ? 'Nothing was done. Try again in a moment.' : 'It is in the log of this server. Try again; if it stays so, tell your administrator.')}
<p class="dim small">Request ${String(context.state.requestId)}</p>`,
  })
}

/** Tells a person that nothing is at an address. */
export function answerNowherePage(context: Context): void {
  answerPage(context, {
    ...{ title: 'There is nothing here', status: 404 },
    body: html`${heading('There is nothing here', 'The address may be misspelt, or what was there is gone.')}
<p>${buttonLink({ label: 'To your agents', href: '/me' })}</p>`,
  })
}
