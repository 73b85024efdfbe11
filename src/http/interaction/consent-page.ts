import type { Context } from 'koa'
import type { Bound } from '../../core/delegation/bound.ts'
import { type ExplainedType, explainBound } from '../../core/delegation/explain/explain-bound.ts'
import type { Answers, Narrowing } from '../../core/delegation/narrowing.ts'
import { actions, button, check, field, postForm } from '../pages/components/form.ts'
import { card, folded, heading, notice, type TagManner, tag } from '../pages/components/parts.ts'
import { lookAlikeWarning, seenLongText, seenText } from '../pages/components/seen-text.ts'
import { momentText, time } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import { answerPage } from '../pages/page.ts'
import type { SignedIn } from '../pages/signed-in.ts'
import { controlField, radios, select } from './consent-controls.ts'
import { narrowings, periods, summable, usualPeriod, WINDOWS } from './consent-form.ts'
import type { ConsentRequest } from './consent-request.ts'

export interface ConsentPage {
  readonly request: ConsentRequest
  readonly signedIn: SignedIn
  /** Where the form goes. */
  readonly action: string
  readonly hidden?: Readonly<Record<string, string>>
  readonly maxSeconds: number
  readonly now: Date
  /** What was answered and cannot be taken, and why. */
  readonly answers?: Answers
  readonly problem?: string
}

/** Asks a principal, in plain words, whether an agent may act for him, and how far. */
export function answerConsentPage(context: Context, page: ConsentPage): void {
  const { request, signedIn, problem } = page
  answerPage(context, {
    title: `Let ${request.agentName} act for you?`,
    status: problem === undefined ? 200 : 422,
    signedIn,
    formActions: request.redirectUri === undefined ? [] : [redirectSource(request.redirectUri)],
    body: html`${heading(
      `Let ${request.agentName} act for you?`,
      html`The agent <strong>${seenText(request.agentName)}</strong> (${request.agentId}) asks to act for you, ${signedIn.principalName}. You can allow less than it asks for.`,
    )}
${problem !== undefined && notice('danger', 'That cannot be granted', seenText(problem))}
${request.words.map(agentWords)}
${postForm({ action: page.action, signedIn, ...(page.hidden !== undefined && { hidden: page.hidden }), content: content(page) })}
<p class="dim small">You can answer until ${time(request.expiresAt, page.now)}. What you allow can be taken back at any time, under your agents.</p>`,
  })
}

/** Apart, and marked: an agent says what it likes. */
const agentWords = ({ name, text }: { readonly name: string; readonly text: string }): Html =>
  html`<blockquote class="quote"><span class="says">${name === 'purpose' ? 'What the agent says it is for' : 'What the agent says beside it'} (its own words, checked by nobody)</span>${seenLongText(text)}</blockquote>`

function content({ request, answers, maxSeconds, now }: ConsentPage): Html {
  const { bounds } = request.asked
  const each = narrowings(bounds)
  const canNarrow = each.some(({ controls }) => controls.length > 0)
  return html`<div class="stack">
<h2>It could do ${bounds.length === 1 ? 'this' : `any of these ${bounds.length}`}, and nothing else</h2>
${bounds.map((bound, n) => boundCard(bound, each[n], n, request, answers))}
${!canNarrow && bounds.length > 1 && html`<p class="dim">There is too much of it to change each member here. Leave out what you do not want, or refuse.</p>`}
${card({ title: 'How long, how often, and when to ask you', body: terms(request, answers, maxSeconds, now) })}
${actions(
  button({ label: 'Allow', name: 'answer', value: 'allow' }),
  button({ label: 'Refuse', manner: 'secondary', name: 'answer', value: 'deny' }),
)}
</div>`
}

const RISKS: Readonly<Record<Bound['type']['risk'], readonly [label: string, manner: TagManner]>> = {
  read: ['reads', 'plain'],
  write: ['changes things', 'warning'],
  destructive: ['can destroy', 'danger'],
}

function boundCard(
  bound: Bound,
  way: Narrowing | undefined,
  n: number,
  { resource }: ConsentRequest,
  answers: Answers | undefined,
): Html {
  const { title, sentence, members, useless } = explainBound(bound.json, explained(bound))
  const [risk, manner] = RISKS[bound.type.risk]
  const places = resource === undefined ? bound.locations : [resource]
  const controls = way?.controls ?? []
  return card({
    title: seenText(title),
    aside: tag(risk, manner),
    body: html`${sentence !== undefined && html`<p class="sentence">${seenText(sentence)}</p>`}
<p>Only at ${places.map((place, i) => html`${i > 0 && ', '}${placeText(place)}`)}.</p>
<dl class="members">${members.map(({ path, may }) => html`<div><dt>${seenText(path)}</dt><dd>${seenLongText(may)}${warning(may)}</dd></div>`)}</dl>
${useless !== undefined && notice('warning', 'No action can fit this', seenText(useless))}
${controls.length > 0 && folded('Allow less of it', html`<div class="stack">${controls.map((control) => controlField(control, answers))}</div>`, answers !== undefined)}`,
    foot: check({
      ...{ name: `bound.${n}`, value: 'on', label: 'Allow this' },
      isChecked: answers === undefined || answers.get(`bound.${n}`) !== undefined,
    }),
  })
}

const explained = ({ type }: Bound): ExplainedType => ({
  ...{ type: type.type, title: type.title, template: type.template, schema: type.schema, digestible: type.digestible },
})

const placeText = (place: string): Html => html`<strong>${seenText(place)}</strong>${warning(place)}`

function warning(text: string): Html | undefined {
  const why = lookAlikeWarning(text)
  return why === undefined ? undefined : html`<span class="look-alike">Look closely: ${why}</span>`
}

function terms({ asked }: ConsentRequest, answers: Answers | undefined, maxSeconds: number, now: Date): Html {
  const { bounds } = asked
  const until = (seconds: number) => momentText(new Date(now.getTime() + seconds * 1_000))
  const sums = summable(bounds)
  const isRisky = bounds.some(({ type }) => type.risk === 'destructive')
  return html`${select(
    'period',
    'For how long',
    periods(maxSeconds).map(([seconds, name]) => [String(seconds), `${name}, until ${until(seconds)}`]),
    answers?.get('period') ?? String(usualPeriod(maxSeconds)),
  )}
${radios(
  'approval',
  'Ask me',
  [
    ['none', 'never: it may act by itself, within what stands above'],
    ['each', 'before each action'],
  ],
  answers?.get('approval') ?? (isRisky ? 'each' : 'none'),
)}
${folded(
  'Limits',
  html`<div class="stack">
${field({ name: 'max_uses', label: 'How many actions altogether', hint: 'Empty: any number.', value: answers?.get('max_uses') ?? '', inputmode: 'numeric' })}
${field({ name: 'rate_uses', label: 'How many actions in a time', hint: 'Empty: any number.', value: answers?.get('rate_uses') ?? '', inputmode: 'numeric' })}
${select(
  'rate_window',
  'In any',
  WINDOWS.map(([seconds, name]) => [String(seconds), name]),
  answers?.get('rate_window') ?? '86400',
)}
${
  sums.length > 0 &&
  html`${select(
    'sum_member',
    'Add up',
    sums.map((member) => [member, member]),
    answers?.get('sum_member') ?? sums[0] ?? '',
  )}
${field({ name: 'sum_max', label: 'To at most', hint: 'Empty: no limit. Each currency by itself.', value: answers?.get('sum_max') ?? '', inputmode: 'decimal' })}`
}
</div>`,
  answers !== undefined,
)}`
}

/** Where the browser may go on to from our form, as a source of CSP: an origin, or the scheme of an app. */
export function redirectSource(uri: string): string {
  const { origin, protocol } = new URL(uri)
  return protocol === 'https:' || protocol === 'http:' ? origin : protocol
}
