import type { Context } from 'koa'
import { listOwnEntries, type ShownEntry } from '../../commands/people/own-affairs.ts'
import { isJsonObject } from '../../core/json.ts'
import { actionMembers } from '../pages/components/action-members.ts'
import { card, folded, heading, list, more, tag } from '../pages/components/parts.ts'
import { seenText } from '../pages/components/seen-text.ts'
import { ago, moment } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import { deedInWords } from './deed-words.ts'
import { delegationPath } from './me-delegation.ts'
import { answerOwnPage, isId, live, type MeParts, nextPage, positionIn, queryValue, whoAsks } from './me-parts.ts'

const ENTRIES_A_PAGE = 25

/** `GET /me/activity`: what was done for me, and what was refused; from the record, newest first. */
export async function activity(parts: MeParts, context: Context): Promise<void> {
  const { ports } = parts
  const { principalId } = whoAsks(context)
  const now = ports.now()
  const [agent, delegation] = ['agent', 'delegation']
    .map((name) => queryValue(context, name))
    .map((id) => (isId(id) ? id : undefined))
  const isRefused = queryValue(context, 'show') === 'refused'
  const query: Readonly<Record<string, string>> = {
    ...(agent !== undefined && { agent }),
    ...(delegation !== undefined && { delegation }),
    ...(isRefused && { show: 'refused' }),
  }
  const listName = `me activity ${principalId} ${new URLSearchParams(query)}`
  const page = { after: positionIn(parts, context, listName), limit: ENTRIES_A_PAGE + 1 }
  const found = await listOwnEntries(ports, principalId, { agent, delegation, isRefused }, page)
  const position = ({ record }: ShownEntry) => record.id
  const next = nextPage(
    parts,
    { list: listName, path: '/me/activity', query },
    { found, limit: ENTRIES_A_PAGE, position },
  )
  const entries = found.slice(0, ENTRIES_A_PAGE).map((entry) => entryItem(entry, now))
  await answerOwnPage(parts, context, {
    title: 'Activity',
    nav: 'activity',
    body: html`${heading('Activity', 'What agents did for you, what they were refused, and what you and administrators did. It cannot be changed afterwards.')}
${filters(query, isRefused)}
${live('activity', card({ body: list(entries, 'Nothing is on record.'), foot: more(next) }))}`,
  })
}

function filters(query: Readonly<Record<string, string>>, isRefused: boolean): Html {
  const { agent, delegation } = query
  const { show: _, ...rest } = query
  const path = (parameters: Readonly<Record<string, string>>) => {
    const text = new URLSearchParams(parameters).toString()
    return text === '' ? '/me/activity' : `/me/activity?${text}`
  }
  return html`<nav class="filters" aria-label="What is shown"><ul>
<li><a href="${path(rest)}"${!isRefused && html` aria-current="true"`}>Everything</a></li>
<li><a href="${path({ ...rest, show: 'refused' })}"${isRefused && html` aria-current="true"`}>Refused</a></li>
${agent !== undefined && html`<li class="filter">of the agent <code>${agent}</code> <a href="/me/activity">of all</a></li>`}
${delegation !== undefined && html`<li class="filter">on the delegation <a href="${delegationPath(delegation)}"><code>${delegation}</code></a> <a href="/me/activity">on all</a></li>`}
</ul></nav>`
}

function entryItem(entry: ShownEntry, now: Date): Html {
  const { record, described, agentName } = entry
  // Of whom a deed speaks is in its words.
  const who = agentName === null || described === undefined ? undefined : html`<strong>${seenText(agentName)}</strong>`
  const head =
    described === undefined
      ? deedInWords(record, agentName)
      : (described.sentence ?? described.title ?? record.actionType)
  return html`<article class="entry">
<div class="row"><p class="tags">${outcome(entry)}${who !== undefined && html`<span class="small">${who}</span>`}</p><p class="small dim">${ago(record.at, now)}</p></div>
<p class="entry-what">${typeof head === 'string' ? seenText(head) : head}</p>
${record.decision === 'refused' && html`<p class="small">Refused: ${seenText(record.detail ?? record.refusal ?? 'no reason is on record')}</p>`}
${receiptOf(entry, now)}
${folded('Details', details(entry))}
</article>`
}

/** What came of it, in a word. */
function outcome({ record, receipt, consumedAt }: ShownEntry): Html {
  if (record.decision === 'refused') return tag('refused', 'danger')
  if (record.decision === 'pending') return tag('asked', 'warning')
  if (record.decision !== 'issued') return tag('noted')
  if (receipt?.outcome === 'succeeded') return tag('done', 'good')
  if (receipt !== null) return tag(receipt.outcome, 'warning')
  return consumedAt === null ? tag('allowed', 'accent') : tag('used', 'good')
}

const receiptOf = ({ receipt }: ShownEntry, now: Date): Html | undefined =>
  receipt?.detail === undefined || receipt.detail === null
    ? undefined
    : html`<blockquote class="quote small"><span class="says">The resource server says, ${ago(receipt.at, now)}</span>${seenText(receipt.detail)}</blockquote>`

function details({ record, described, consumedAt, receipt }: ShownEntry): Html {
  const rows: readonly (readonly [name: string, value: Html | undefined])[] = [
    ['When', moment(record.at)],
    ['Where', record.resource === null ? undefined : seenText(record.resource)],
    ['Action type', record.actionType === null ? undefined : html`<code>${seenText(record.actionType)}</code>`],
    [
      'Delegation',
      record.delegation === null
        ? undefined
        : html`<a href="${delegationPath(record.delegation)}"><code>${seenText(record.delegation)}</code></a>`,
    ],
    ['Used', consumedAt === null ? undefined : moment(consumedAt)],
    ['Receipt', receipt === null ? undefined : html`${receipt.outcome}, ${moment(receipt.at)}`],
    ['Turn', record.turn === null ? undefined : seenText(record.turn)],
    ['Reason', record.refusal === null ? undefined : html`<code>${seenText(record.refusal)}</code>`],
    ['Entry', html`<code>${record.id}</code>`],
  ]
  const because = described === undefined && isJsonObject(record.because) ? record.because : undefined
  return html`<dl class="facts small">${rows.map(([name, value]) => value && html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${described !== undefined && html`<h3 class="small">Every member of the action</h3>${actionMembers(described.members, described.digestOnly)}`}
${because !== undefined && actionMembers(because, [])}`
}
