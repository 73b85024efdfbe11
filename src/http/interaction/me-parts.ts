import type { Context } from 'koa'
import type { AnswerPorts } from '../../commands/approvals/answer-approval.ts'
import type { ApprovalViewPorts } from '../../commands/approvals/find-approval.ts'
import type { OidcModels } from '../../commands/people/consents.ts'
import type { FollowNewsPorts } from '../../commands/people/follow-news.ts'
import type { OwnAffairsPorts } from '../../commands/people/own-affairs.ts'
import type { StopCall, StopOwnPorts } from '../../commands/people/stop-own.ts'
import type { Refusal } from '../../core/refusal.ts'
import type { Cursors } from '../cursor.ts'
import { buttonLink } from '../pages/components/form.ts'
import { heading } from '../pages/components/parts.ts'
import { type Html, html } from '../pages/html.ts'
import { answerPage, type PageParts } from '../pages/page.ts'
import type { Sessions, SignedIn } from '../pages/session.ts'

export { isId } from '../pages/is-id.ts'

export interface MeParts {
  readonly sessions: Pick<Sessions, 'requireSignedIn' | 'readGuardedForm'>
  readonly ports: OwnAffairsPorts &
    StopOwnPorts &
    ApprovalViewPorts &
    AnswerPorts &
    FollowNewsPorts & {
      readonly models: Pick<OidcModels, 'waitingFor'>
    }
  readonly cursors: Cursors
}

/** Who asks; behind `requireSignedIn` there is always somebody. */
export function whoAsks(context: Context): SignedIn {
  const signedIn: SignedIn | undefined = context.state.signedIn
  if (signedIn === undefined) throw new Error('the route is not behind requireSignedIn')
  return signedIn
}

export function stopCall(context: Context): StopCall {
  const { principalId, loginId } = whoAsks(context)
  return { principalId, loginId, requestId: context.state.requestId }
}

/** A page of a principal: with what waits for him, and kept up to date while it is open. */
export async function answerOwnPage(
  { ports }: Pick<MeParts, 'ports'>,
  context: Context,
  page: Omit<PageParts, 'signedIn' | 'waiting'>,
): Promise<void> {
  const signedIn = whoAsks(context)
  const waiting = await ports.own.waiting(signedIn.principalId)
  answerPage(context, { ...page, signedIn, waiting })
}

/** A part of a page that is put in place of the old one when something has changed. */
export const live = (name: string, content: Html): Html => html`<div class="stack" data-live="${name}">${content}</div>`

/** What is not there, and what is another's: one answer for both. */
export const answerNotThere = (parts: Pick<MeParts, 'ports'>, context: Context, what: string): Promise<void> =>
  answerOwnPage(parts, context, {
    title: 'Not found',
    status: 404,
    body: html`${heading('This is not here', html`There is no such ${what}, or it is not yours.`)}
<p>${buttonLink({ label: 'Your agents', href: '/me' })}</p>`,
  })

/** A form that does not count: nothing was done. */
export const answerFormRefused = (
  parts: Pick<MeParts, 'ports'>,
  context: Context,
  { code }: Refusal,
  back: string,
): Promise<void> =>
  answerOwnPage(parts, context, {
    title: 'Nothing was changed',
    status: code.startsWith('request_') ? 400 : 403,
    body: html`${heading(
      'Nothing was changed',
      'The form was not sent from a page of this sign-in, or it was damaged on its way. Open the page again, and send it from there.',
    )}
<p>${buttonLink({ label: 'Open the page again', href: back })}</p>`,
  })

/** One value of a query; a name that comes twice, an empty one and a long one are none. */
export function queryValue(context: Context, name: string): string | undefined {
  const value = context.query[name]
  return typeof value === 'string' && value !== '' && value.length <= 2_048 ? value : undefined
}

/** Where a page of a list begins; a cursor that is not ours begins it anew. */
export function positionIn({ cursors }: Pick<MeParts, 'cursors'>, context: Context, list: string): string | undefined {
  const cursor = queryValue(context, 'cursor')
  const position = cursor === undefined ? undefined : cursors.read(list, cursor)
  return typeof position === 'string' ? position : undefined
}

/** The page behind this one, if there is one: `found` holds one more than is shown. */
export function nextPage<Item>(
  { cursors }: Pick<MeParts, 'cursors'>,
  {
    list,
    path,
    query = {},
  }: { readonly list: string; readonly path: string; readonly query?: Readonly<Record<string, string>> },
  {
    found,
    limit,
    position,
  }: { readonly found: readonly Item[]; readonly limit: number; readonly position: (item: Item) => string },
): string | undefined {
  const last = found[limit - 1]
  if (found.length <= limit || last === undefined) return undefined
  return `${path}?${new URLSearchParams({ ...query, cursor: cursors.issue(list, position(last)) })}`
}
