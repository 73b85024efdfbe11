import type { Context } from 'koa'
import { findOwnAgent, findOwnDelegation } from '../../commands/people/own-affairs.ts'
import { revokeOwnDelegation, stopOwnAgent } from '../../commands/people/stop-own.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import { boundTitles } from '../pages/components/bounds.ts'
import { actions, button, buttonLink, postForm } from '../pages/components/form.ts'
import { card, heading } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { type Html, html } from '../pages/html.ts'
import { delegationPath } from './me-delegation.ts'
import { answerFormRefused, answerNotThere, answerOwnPage, isId, type MeParts, stopCall, whoAsks } from './me-parts.ts'

/** `GET /me/delegations/<id>/revoke`: asks once, for a revocation cannot be taken back. */
export async function revokePage(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const found = isId(id) ? await findOwnDelegation(parts.ports, whoAsks(context).principalId, id, 1) : undefined
  if (found === undefined || isRefusal(found)) return answerNotThere(parts, context, 'delegation')
  const { delegation, agent, types, openBelow } = found.delegation
  await confirm(parts, context, {
    title: 'Revoke this delegation?',
    lead: html`${seenText(agent.name)} will not be able to do this for you any more, at once. What was done stays done.`,
    about: html`${boundTitles(delegation.authorizationDetails, types)}
${openBelow > 0 && html`<p>${openBelow === 1 ? 'One delegation that was' : `${openBelow} delegations that were`} given on from it ${openBelow === 1 ? 'ends' : 'end'} with it.</p>`}`,
    action: `${delegationPath(delegation.id)}/revoke`,
    label: 'Revoke',
    back: delegationPath(delegation.id),
  })
}

/** `POST /me/delegations/<id>/revoke`. */
export const revoke = (parts: MeParts, context: Context, id: string | undefined): Promise<void> =>
  stop(parts, context, {
    what: 'delegation',
    back: isId(id) ? `${delegationPath(id)}/revoke` : '/me',
    run: async () => (isId(id) ? revokeOwnDelegation(parts.ports, stopCall(context), id) : undefined),
    shownAt: isId(id) ? delegationPath(id) : '/me',
  })

const agentPath = (id: string) => `/me/agents/${encodeURIComponent(id)}`

/** `GET /me/agents/<id>/stop`. */
export async function stopAgentPage(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const agent = isId(id) ? await findOwnAgent(parts.ports, whoAsks(context).principalId, id) : undefined
  if (agent === undefined || isRefusal(agent)) return answerNotThere(parts, context, 'agent')
  const { openCount } = agent
  await confirm(parts, context, {
    title: `Stop ${agent.name} for you?`,
    lead: html`It will not be able to do anything for you any more, at once. What was done stays done. To have it back, grant it anew.`,
    about: html`<p>${openCount === 1 ? 'One delegation ends' : `${openCount} delegations end`}, and all that was given on from ${openCount === 1 ? 'it' : 'them'}. For others the agent goes on.</p>`,
    action: `${agentPath(agent.id)}/stop`,
    label: 'Stop it for me',
    back: agentPath(agent.id),
  })
}

/** `POST /me/agents/<id>/stop`. */
export const stopAgent = (parts: MeParts, context: Context, id: string | undefined): Promise<void> =>
  stop(parts, context, {
    what: 'agent',
    back: isId(id) ? `${agentPath(id)}/stop` : '/me',
    run: async () => (isId(id) ? stopOwnAgent(parts.ports, stopCall(context), id) : undefined),
    shownAt: isId(id) ? agentPath(id) : '/me',
  })

interface Question {
  readonly title: string
  readonly lead: Html
  readonly about: Html
  readonly action: string
  readonly label: string
  readonly back: string
}

async function confirm(
  parts: MeParts,
  context: Context,
  { title, lead, about, action, label, back }: Question,
): Promise<void> {
  const content = actions(button({ label, manner: 'danger' }), buttonLink({ label: 'Keep it', href: back }))
  await answerOwnPage(parts, context, {
    title,
    nav: 'me',
    isNarrow: true,
    body: html`${heading(title, lead)}
${card({ body: about, foot: postForm({ action, signedIn: whoAsks(context), content }) })}`,
  })
}

interface Stopping {
  readonly what: string
  readonly back: string
  readonly run: () => Promise<number | Refusal | undefined>
  readonly shownAt: string
}

async function stop(parts: MeParts, context: Context, { what, back, run, shownAt }: Stopping): Promise<void> {
  const form = await parts.sessions.readGuardedForm(context)
  if (isRefusal(form)) return answerFormRefused(parts, context, form, back)
  const ended = await run()
  if (ended === undefined || isRefusal(ended)) return answerNotThere(parts, context, what)
  // To a page that can be loaded again without being sent again.
  context.redirect(shownAt)
  context.status = 303
}
