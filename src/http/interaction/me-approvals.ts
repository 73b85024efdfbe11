import type { Context } from 'koa'
import type { ApprovalView } from '../../commands/approvals/approval-view.ts'
import { listApprovals } from '../../commands/approvals/find-approval.ts'
import { listPendingConsents, type PendingConsent } from '../../commands/people/consents.ts'
import { card, heading, list, more, type TagManner, tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { ago } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import { riskTag } from './approval-words.ts'
import { answerOwnPage, live, type MeParts, nextPage, positionIn, queryValue, whoAsks } from './me-parts.ts'

const APPROVALS_A_PAGE = 20

export const approvalPath = (id: string): string => `/me/approvals/${encodeURIComponent(id)}`

/** `GET /me/approvals`: what waits for my answer; with `show=all` also what was answered. */
export async function inbox(parts: MeParts, context: Context): Promise<void> {
  const { ports } = parts
  const { principalId } = whoAsks(context)
  const now = ports.now()
  const isAll = queryValue(context, 'show') === 'all'
  const name = `me approvals ${principalId} ${isAll ? 'all' : 'pending'}`
  const after = positionIn(parts, context, name)
  const state = isAll ? undefined : ('pending' as const)
  const found = await listApprovals(ports, { approver: principalId, state, after, limit: APPROVALS_A_PAGE + 1 })
  const query: Readonly<Record<string, string>> = isAll ? { show: 'all' } : {}
  const position = ({ id }: ApprovalView) => id
  const next = nextPage(
    parts,
    { list: name, path: '/me/approvals', query },
    { found, limit: APPROVALS_A_PAGE, position },
  )
  // One that rests on what has changed waits for nobody any more.
  const shown = found.slice(0, APPROVALS_A_PAGE).filter((approval) => isAll || approval.state === 'pending')
  const items = shown.map((approval) => approvalItem(approval, principalId, now))
  const consents = isAll || after !== undefined ? [] : await listPendingConsents(ports, principalId)
  const names = await ports.own.agentNames(consents.map(({ agentId }) => agentId))
  await answerOwnPage(parts, context, {
    title: 'Approvals',
    nav: 'approvals',
    body: html`${heading('Approvals', 'Actions that agents may take only if you say yes, each to exactly what it shows.')}
<nav class="filters" aria-label="What is shown"><ul>
<li><a href="/me/approvals"${!isAll && html` aria-current="true"`}>Waiting</a></li>
<li><a href="/me/approvals?show=all"${isAll && html` aria-current="true"`}>All</a></li>
</ul></nav>
${live(
  'inbox',
  html`${
    consents.length > 0 &&
    card({
      title: 'Agents that ask to act for you',
      body: list(
        consents.map((consent) => consentItem(consent, names.get(consent.agentId) ?? consent.agentId, now)),
        '',
      ),
    })
  }
${(items.length > 0 || consents.length === 0) && card({ body: items.length === 0 ? nothing(isAll) : list(items, ''), foot: more(next) })}`,
)}`,
  })
}

/** The whole of what it asks for is on its page. */
const consentItem = ({ handle, agentId, bindingMessage, expiresAt }: PendingConsent, name: string, now: Date): Html =>
  html`<article class="entry"><div class="row"><p class="entry-what"><a href="/me/consents/${handle}">${seenText(name)} asks to act for you</a></p><p class="small dim">ends ${ago(expiresAt, now)}</p></div>
<p class="small dim"><code>${seenText(agentId)}</code></p>
${bindingMessage !== undefined && html`<blockquote class="quote small"><span class="says">The agent's own words</span>${seenText(bindingMessage)}</blockquote>`}</article>`

const nothing = (isAll: boolean): Html =>
  html`<div class="empty"><h2>${isAll ? 'You were asked nothing yet' : 'Nothing waits for you'}</h2><p>When an agent needs your yes, it appears here at once, even while this page is open.</p></div>`

function approvalItem(approval: ApprovalView, principalId: string, now: Date): Html {
  const { id, agent, actionType, sentence, createdAt, expiresAt, state, principal } = approval
  const hasAnswered = approval.votes.some(({ approver }) => approver === principalId)
  const words = sentence ?? actionType.title ?? actionType.type
  return html`<article class="entry">
<div class="row"><p class="tags">${approvalTag(approval, hasAnswered)}${actionType.risk !== undefined && riskTag(actionType.risk)}<span class="small"><strong>${seenText(agent.name)}</strong>${principal.id !== principalId && html`, for ${seenText(principal.name)}`}</span></p>
<p class="small dim">asked ${ago(createdAt, now)}${state === 'pending' && html`, ends ${ago(expiresAt, now)}`}</p></div>
<p class="entry-what"><a href="${approvalPath(id)}">${seenText(words)}</a></p>
</article>`
}

const STATES: Readonly<Record<ApprovalView['state'], readonly [label: string, manner: TagManner]>> = {
  pending: ['waiting', 'accent'],
  approved: ['approved', 'good'],
  redeemed: ['approved, and used', 'good'],
  denied: ['denied', 'danger'],
  void: ['void', 'plain'],
  expired: ['expired', 'plain'],
}

export const approvalTag = ({ state }: Pick<ApprovalView, 'state'>, hasAnswered = false): Html =>
  state === 'pending' && hasAnswered ? tag('waits for others') : tag(...STATES[state])
