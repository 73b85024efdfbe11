import type { Context } from 'koa'
import { findOwnDelegation, type OwnDelegation, type ShownDelegation } from '../../commands/people/own-affairs.ts'
import { isRefusal } from '../../core/refusal.ts'
import { boundsInWords, boundTitles } from '../pages/components/bounds.ts'
import { buttonLink } from '../pages/components/form.ts'
import { card, facts, heading, notice } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { time } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import { approvalInWords } from './approval-words.ts'
import { delegationState, givingOn, grantedBy, isOpen, limitsInWords } from './delegation-words.ts'
import { answerNotThere, answerOwnPage, isId, live, type MeParts, whoAsks } from './me-parts.ts'

/** Of what was given on from it no more is drawn. */
const MAX_BELOW = 100

export const delegationPath = (id: string): string => `/me/delegations/${encodeURIComponent(id)}`

/** A delegation in a list: what it allows, its state, and how to revoke it. */
export function delegationItem(shown: ShownDelegation, now: Date): Html {
  const { delegation } = shown
  const path = delegationPath(delegation.id)
  return html`<div class="row"><div class="grow stack-tight">
${boundTitles(delegation.authorizationDetails, shown.types)}
<p class="tags small">${delegationState(shown, now)}<span class="dim">${delegation.resource !== undefined && html`at ${seenText(delegation.resource)}, `}until ${time(delegation.expiresAt, now)}, granted by ${grantedBy(shown)}</span></p>
${limitsInWords(shown)}
</div><div class="actions">${buttonLink({ label: 'Details', href: path, about: ` of ${delegation.id}` })}${isOpen(shown, now) && buttonLink({ label: 'Revoke', href: `${path}/revoke`, manner: 'quiet', about: ` ${delegation.id}` })}</div></div>`
}

/** `GET /me/delegations/<id>`: all of one delegation. */
export async function delegationPage(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const { ports } = parts
  const found = isId(id) ? await findOwnDelegation(ports, whoAsks(context).principalId, id, MAX_BELOW) : undefined
  if (found === undefined || isRefusal(found)) return answerNotThere(parts, context, 'delegation')
  const now = ports.now()
  const { delegation: shown, below } = found
  const { delegation, agent } = shown
  const path = delegationPath(delegation.id)
  await answerOwnPage(parts, context, {
    title: `What ${agent.name} may do`,
    nav: 'me',
    body: html`${heading(`What ${agent.name} may do`, 'All that it may do for you by this delegation, and how to end it.')}
${live(
  'delegation',
  html`${delegation.status !== 'active' && notice('danger', 'It was revoked. Nothing is issued on it.', delegation.reason === null ? undefined : seenText(delegation.reason))}
${card({
  title:
    delegation.authorizationDetails.length === 1
      ? 'This, and nothing else'
      : `Any of these ${delegation.authorizationDetails.length}, and nothing else`,
  aside: delegationState(shown, now),
  body: boundsInWords(delegation.authorizationDetails, shown.types),
})}
${card({
  title: 'Limits and conditions',
  body: facts([
    ['Agent', html`<a href="/me/agents/${encodeURIComponent(agent.id)}">${seenText(agent.name)}</a>`],
    ['Where', delegation.resource === undefined ? 'as said above' : seenText(delegation.resource)],
    delegation.notBefore !== undefined && ['From', time(delegation.notBefore, now)],
    ['Until', time(delegation.expiresAt, now)],
    ['Limits', limitsInWords(shown) ?? html`<span class="dim">none but these bounds</span>`],
    ['Asking', approvalInWords(delegation.approval, delegation.principal.id, shown.types)],
    ['Given on', givingOn(shown)],
    ['Granted by', grantedBy(shown)],
    ['Granted', time(delegation.createdAt, now)],
    delegation.purpose !== null && ['For', html`<span class="quote">${seenText(delegation.purpose)}</span>`],
    delegation.revokedAt !== null && ['Revoked', time(delegation.revokedAt, now)],
    ['Identifier', html`<code>${seenText(delegation.id)}</code>`],
  ]),
  foot: html`<div class="actions">${buttonLink({ label: 'What was done with it', href: `/me/activity?delegation=${encodeURIComponent(delegation.id)}` })}
${isOpen(shown, now) && buttonLink({ label: 'Revoke', href: `${path}/revoke`, manner: 'quiet' })}</div>`,
})}
${shown.givenOnBy.length > 0 && card({ title: 'How it came about', body: chain([...shown.givenOnBy, agent]) })}
${below.length > 0 && card({ title: 'Given on to', body: givenOn(below, now) })}`,
)}`,
  })
}

/** Agents, each of which gave it on to the next. */
export const chain = (agents: readonly { readonly id: string; readonly name: string }[]): Html =>
  html`<ol class="chain">${agents.map(({ id, name }) => html`<li><strong>${seenText(name)}</strong> <code class="dim">${seenText(id)}</code></li>`)}</ol>`

const givenOn = (below: readonly OwnDelegation[], now: Date): Html =>
  html`<ul class="list">${below.map(
    (one) =>
      html`<li><div class="row"><span class="grow">${one.givenOnBy.slice(1).map(() => '↳ ')}<a href="${delegationPath(one.delegation.id)}">${seenText(one.agent.name)}</a> <span class="dim small">until ${time(one.delegation.expiresAt, now)}</span></span>${delegationState(one, now)}</div></li>`,
  )}</ul>`
