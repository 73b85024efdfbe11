import type { Context } from 'koa'
import { findOwnAgent, listOwnAgents, listOwnDelegations, type OwnAgent } from '../../commands/people/own-affairs.ts'
import { isRefusal } from '../../core/refusal.ts'
import { buttonLink } from '../pages/components/form.ts'
import { card, facts, heading, more, notice, tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { ago } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import { delegationItem } from './me-delegation.ts'
import {
  answerNotThere,
  answerOwnPage,
  isId,
  live,
  type MeParts,
  nextPage,
  positionIn,
  queryValue,
  whoAsks,
} from './me-parts.ts'

const AGENTS_A_PAGE = 20
/** Of each agent so many delegations are shown at once; the others are on its own page. */
const DELEGATIONS_SHOWN = 3
const DELEGATIONS_A_PAGE = 20

/** `GET /me`: which agents act for me, and what each may do. */
export async function overview(parts: MeParts, context: Context): Promise<void> {
  const { ports } = parts
  const { principalId, principalName } = whoAsks(context)
  const now = ports.now()
  const list = `me agents ${principalId}`
  const after = positionIn(parts, context, list)
  const found = await listOwnAgents(ports, principalId, { after, limit: AGENTS_A_PAGE + 1 })
  const agents = found.slice(0, AGENTS_A_PAGE)
  const cards = await Promise.all(agents.map((agent) => agentCard(parts, principalId, agent)))
  const waiting = await ports.own.waiting(principalId)
  const next = nextPage(parts, { list, path: '/me' }, { found, limit: AGENTS_A_PAGE, position: ({ id }) => id })
  await answerOwnPage(parts, context, {
    title: 'Agents that act for you',
    nav: 'me',
    body: html`${heading('Agents that act for you', html`What each may do in the name of ${seenText(principalName)}, and how to stop it.`)}
${live(
  'overview',
  html`${waiting > 0 && waitingNotice(waiting)}
${cards.length === 0 && after === undefined ? nobody : cards}
${more(next, 'More agents')}`,
)}
<p class="small dim">As of ${ago(now, now)}. What was granted before and has ended is in the <a href="/me/activity">activity</a>.</p>`,
  })
}

const waitingNotice = (waiting: number): Html =>
  notice(
    'warning',
    waiting === 1 ? 'One action waits for your answer' : `${waiting} actions wait for your answer`,
    html`<a href="/me/approvals">Read and answer</a>`,
  )

const nobody = card({
  body: html`<div class="empty"><h2>No agent acts for you</h2><p>When you let an agent act for you, it appears here with everything it may do, and you can stop it at any time.</p></div>`,
})

async function agentCard({ ports }: MeParts, principalId: string, agent: OwnAgent): Promise<Html> {
  const now = ports.now()
  const page = { after: undefined, limit: DELEGATIONS_SHOWN }
  const delegations = await listOwnDelegations(ports, principalId, { agent: agent.id, isOpen: true }, page)
  const href = `/me/agents/${encodeURIComponent(agent.id)}`
  const hidden = agent.openCount - delegations.length
  return card({
    title: html`<a href="${href}">${seenText(agent.name)}</a>`,
    aside: html`<div class="tags">${agent.status !== 'active' && tag(agent.status, 'warning')}<span class="small">${lastActed(agent, now)}</span></div>`,
    body: html`<ul class="list">${delegations.map((one) => html`<li>${delegationItem(one, now)}</li>`)}</ul>
${hidden > 0 && html`<p><a href="${href}">and ${hidden} more ${hidden === 1 ? 'delegation' : 'delegations'}</a></p>`}`,
    foot: html`<div class="actions">${buttonLink({ label: 'What it did', href: `/me/activity?agent=${encodeURIComponent(agent.id)}`, about: `: ${agent.name}` })}
${buttonLink({ label: 'Stop it for me', href: `${href}/stop`, manner: 'quiet', about: `: ${agent.name}` })}</div>`,
  })
}

const lastActed = ({ lastIssuedAt }: OwnAgent, now: Date): Html =>
  lastIssuedAt === null ? html`has not acted yet` : html`acted ${ago(lastIssuedAt, now)}`

/** `GET /me/agents/<id>`: one agent, and every delegation of mine to it. */
export async function agentPage(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const { ports } = parts
  const { principalId } = whoAsks(context)
  const agent = isId(id) ? await findOwnAgent(ports, principalId, id) : undefined
  if (agent === undefined || isRefusal(agent)) return answerNotThere(parts, context, 'agent')
  const now = ports.now()
  const isAll = queryValue(context, 'show') === 'all'
  const list = `me delegations ${principalId} ${agent.id} ${isAll ? 'all' : 'open'}`
  const page = { after: positionIn(parts, context, list), limit: DELEGATIONS_A_PAGE + 1 }
  const found = await listOwnDelegations(ports, principalId, { agent: agent.id, isOpen: !isAll }, page)
  const path = `/me/agents/${encodeURIComponent(agent.id)}`
  const query: Readonly<Record<string, string>> = isAll ? { show: 'all' } : {}
  const position = ({ delegation }: (typeof found)[number]) => delegation.id
  const next = nextPage(parts, { list, path, query }, { found, limit: DELEGATIONS_A_PAGE, position })
  const shown = found.slice(0, DELEGATIONS_A_PAGE)
  await answerOwnPage(parts, context, {
    title: agent.name,
    nav: 'me',
    body: html`${heading(agent.name, html`An agent that ${agent.openCount > 0 ? 'may act' : 'acted'} for you.`)}
${card({
  body: facts([
    ['Identifier', html`<code>${seenText(agent.id)}</code>`],
    agent.description !== null && ['Description', seenText(agent.description)],
    agent.owner !== null && ['Owner', seenText(agent.owner)],
    ['State', tag(agent.status, agent.status === 'active' ? 'good' : 'warning')],
    ['Last acted', lastActed(agent, now)],
  ]),
  foot: html`<div class="actions">${buttonLink({ label: 'What it did', href: `/me/activity?agent=${encodeURIComponent(agent.id)}` })}
${agent.openCount > 0 && buttonLink({ label: 'Stop it for me', href: `${path}/stop`, manner: 'quiet' })}</div>`,
})}
${live(
  'delegations',
  card({
    title: isAll ? 'All delegations' : 'What it may do',
    aside: isAll
      ? html`<a href="${path}">only those in force</a>`
      : html`<a href="${path}?show=all">also what has ended</a>`,
    body:
      shown.length === 0
        ? html`<p class="none">It may do nothing for you now.</p>`
        : html`<ul class="list">${shown.map((one) => html`<li>${delegationItem(one, now)}</li>`)}</ul>`,
    foot: more(next),
  }),
)}`,
  })
}
