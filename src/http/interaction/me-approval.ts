import type { Context } from 'koa'
import { answerApproval } from '../../commands/approvals/answer-approval.ts'
import type { ApprovalView } from '../../commands/approvals/approval-view.ts'
import { findApproval } from '../../commands/approvals/find-approval.ts'
import { isRefusal } from '../../core/refusal.ts'
import { actionMembers } from '../pages/components/action-members.ts'
import { actions, button, postForm } from '../pages/components/form.ts'
import { card, facts, heading, notice } from '../pages/components/parts.ts'
import { lookAlikeWarning, seenLongText, seenText } from '../pages/components/seen-text.ts'
import { moment, time } from '../pages/components/time.ts'
import { type Html, html } from '../pages/html.ts'
import type { SignedIn } from '../pages/session.ts'
import { riskInWords, riskTag } from './approval-words.ts'
import { approvalPath, approvalTag } from './me-approvals.ts'
import { chain } from './me-delegation.ts'
import { answerFormRefused, answerNotThere, answerOwnPage, isId, live, type MeParts, whoAsks } from './me-parts.ts'

/** `GET /me/approvals/<id>`: one action in full, and yes or no. */
export async function approvalPage(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const approval = await find(parts, context, id)
  if (approval === undefined) return answerNotThere(parts, context, 'approval')
  await answerApprovalPage(parts, context, approval)
}

/** `POST /me/approvals/<id>`: `answer=approve` or `answer=deny`. */
export async function answer(parts: MeParts, context: Context, id: string | undefined): Promise<void> {
  const form = await parts.sessions.readGuardedForm(context)
  if (isRefusal(form)) return answerFormRefused(parts, context, form, isId(id) ? approvalPath(id) : '/me/approvals')
  const approval = await find(parts, context, id)
  if (approval === undefined) return answerNotThere(parts, context, 'approval')
  const said = form.get('answer')
  if (said !== 'approve' && said !== 'deny') {
    return answerApprovalPage(parts, context, approval, { status: 400, told: notice('danger', 'Say yes or no.') })
  }
  const { principalId, loginId } = whoAsks(context)
  const outcome = await answerApproval(parts.ports, {
    ...{ id: approval.id, answer: said, requestId: context.state.requestId },
    by: { kind: 'principal', principalId, loginId },
  })
  if (!isRefusal(outcome)) {
    context.redirect(approvalPath(approval.id))
    context.status = 303
    return
  }
  // What it is now: the answer came too late, or it was answered elsewhere, perhaps by the same person in another window.
  const current = await find(parts, context, id)
  if (current === undefined) return answerNotThere(parts, context, 'approval')
  const told = notice(
    'warning',
    'Your answer was not taken',
    html`${said === 'approve' ? 'The yes' : 'The no'} came too late: ${whatHappened(current, principalId)}`,
  )
  await answerApprovalPage(parts, context, current, { status: 409, told })
}

async function find({ ports }: MeParts, context: Context, id: string | undefined): Promise<ApprovalView | undefined> {
  if (!isId(id)) return undefined
  const found = await findApproval(ports, id, { kind: 'principal', principalId: whoAsks(context).principalId })
  return isRefusal(found) ? undefined : found
}

async function answerApprovalPage(
  parts: MeParts,
  context: Context,
  approval: ApprovalView,
  { status = 200, told }: { readonly status?: number; readonly told?: Html } = {},
): Promise<void> {
  const now = parts.ports.now()
  const signedIn = whoAsks(context)
  const { agent, principal, actionType, purpose, digestOnly } = approval
  const isMine = principal.id === signedIn.principalId
  const canAnswer = mayBeAnsweredBy(approval, signedIn.principalId)
  await answerOwnPage(parts, context, {
    ...{
      title: approval.state === 'pending' ? 'An action waits for your yes' : 'An action you were asked about',
      status,
    },
    nav: 'approvals',
    isNarrow: true,
    body: html`${told}
${live(
  'approval',
  html`${heading(title(approval, canAnswer), html`<strong>${seenText(agent.name)}</strong> ${approval.state === 'pending' ? 'asks' : 'asked'} to do this ${isMine ? 'for you' : html`for <strong>${seenText(principal.name)}</strong>`}.`)}
${stateNotice(approval, signedIn.principalId)}
${card({
  body: html`<p class="tags">${approvalTag(approval, !canAnswer)}${actionType.risk !== undefined && riskTag(actionType.risk)}<span class="small dim">${actionType.title !== undefined && seenText(actionType.title)}</span></p>
${sentenceOf(approval)}
<div class="stack-tight"><h2>Exactly this, and once</h2>${actionMembers(approval.action, digestOnly)}</div>
${facts([
  ['Where', html`<span class="value">${seenText(approval.resource)}</span>${lookAlike(approval.resource)}`],
  actionType.risk !== undefined && ['What it may change', riskInWords(actionType.risk)],
  ['Who asks', chain(approval.chain)],
  ['For', html`${seenText(principal.name)} <code class="dim">${seenText(principal.id)}</code>`],
  ['Asked', time(approval.createdAt, now)],
  ['Can be answered until', time(approval.expiresAt, now)],
  approversRow(approval),
])}`,
  foot: answerForm(approval, signedIn),
})}
${purpose !== undefined && purposeCard(purpose, agent.name)}`,
)}`,
  })
}

const title = ({ state }: ApprovalView, canAnswer: boolean): string => {
  if (state !== 'pending') return 'An action you were asked about'
  return canAnswer ? 'Do you approve this action?' : 'An action that waits for others'
}

/** Whether the answer of this principal is wanted yet. */
const mayBeAnsweredBy = ({ state, approvers, votes }: ApprovalView, principalId: string): boolean =>
  state === 'pending' &&
  approvers.some(({ id }) => id === principalId) &&
  !votes.some(({ approver }) => approver === principalId)

function sentenceOf({ sentence, actionType }: ApprovalView): Html {
  if (sentence !== undefined) return html`<p class="sentence">${seenText(sentence)}</p>${lookAlike(sentence)}`
  return html`<p class="sentence"><code>${seenText(actionType.type)}</code></p><p class="problem">This kind of action has been changed since it was asked for, so it cannot be put into words, nor be approved.</p>`
}

const lookAlike = (text: string): Html | undefined => {
  const warning = lookAlikeWarning(text)
  return warning === undefined ? undefined : html`<span class="look-alike">Look closely: ${warning}.</span>`
}

/** Set apart, and said to be what it is: nothing here is known to be true. */
const purposeCard = (purpose: string, agent: string): Html =>
  card({
    title: 'What the agent says it is for',
    body: html`<blockquote class="quote"><span class="says">The words of ${seenText(agent)}; Writ has not checked them</span>${seenLongText(purpose)}</blockquote>`,
  })

function approversRow({ approvers, votes, needs }: ApprovalView): readonly [string, Html] | undefined {
  if (approvers.length < 2) return undefined
  const names = new Map(approvers.map(({ id, name }) => [id, name]))
  const answers = votes.map(
    ({ approver, isYes, at }) =>
      html`<li>${seenText(names.get(approver) ?? approver)} said ${isYes ? 'yes' : 'no'}, ${moment(at)}</li>`,
  )
  return [
    'Who may answer',
    html`${needs.map((need, n) => html`${n > 0 && html`<br>`}${needInWords(need, names, n > 0)}`)}${answers.length > 0 && html`<ul>${answers}</ul>`}`,
  ]
}

/** Each of several has to be met: those of every delegation of the chain are asked. */
function needInWords(
  { approvers, threshold }: ApprovalView['needs'][number],
  names: ReadonlyMap<string, string>,
  isMore: boolean,
): Html {
  const who = seenText(approvers.map((id) => names.get(id) ?? id).join(', '))
  if (approvers.length === 1) return html`${isMore && 'and '}${who} must say yes`
  return html`${isMore && 'and of '}${who}; ${threshold === 1 ? 'one yes is enough' : html`${threshold} of them must say yes`}`
}

function answerForm(approval: ApprovalView, signedIn: SignedIn): Html | undefined {
  if (!mayBeAnsweredBy(approval, signedIn.principalId)) return undefined
  const yes = button({ label: 'Approve', name: 'answer', value: 'approve' })
  const no = button({ label: 'Deny', manner: 'secondary', name: 'answer', value: 'deny' })
  return postForm({ action: approvalPath(approval.id), signedIn, content: actions(yes, no) })
}

function stateNotice(approval: ApprovalView, principalId: string): Html | undefined {
  const { state, votes, approvers } = approval
  const words = whatHappened(approval, principalId)
  if (state === 'approved' || state === 'redeemed') return notice('good', 'Approved', words)
  if (state === 'denied') return notice('danger', 'Denied', words)
  if (state === 'void') return notice('warning', 'No longer open', words)
  if (state === 'expired') return notice('warning', 'Too late', words)
  if (votes.some(({ approver }) => approver === principalId)) return notice('info', 'You have answered', words)
  if (!approvers.some(({ id }) => id === principalId)) return notice('info', 'Not yours to answer', words)
  return undefined
}

/** Where the approval stands, in a sentence. */
function whatHappened({ state, votes, approvers, needs }: ApprovalView, principalId: string): string {
  const own = votes.find(({ approver }) => approver === principalId)
  switch (state) {
    case 'approved':
      return own === undefined
        ? 'it was approved. The agent has not used it yet.'
        : 'you approved it. The agent has not used it yet.'
    case 'redeemed':
      return own === undefined
        ? 'it was approved, and the agent was given its one token.'
        : 'you approved it, and the agent was given its one token.'
    case 'denied':
      return own?.isYes === false ? 'you denied it.' : 'it was denied.'
    case 'void':
      return 'what it rests on has changed (the delegation, the agent, the kind of action, the place, or somebody who said yes may not any more), so nobody can approve it any more.'
    case 'expired':
      return 'its time ran out before it was answered or used.'
    case 'pending': {
      if (own !== undefined) return `you said ${own.isYes ? 'yes' : 'no'}; ${stillNeeded(needs, votes)}.`
      return approvers.some(({ id }) => id === principalId) ? 'it is open.' : 'it waits for somebody else.'
    }
  }
}

/** How many more have to say yes. Of several needs one yes may be for more than one, so they are not added up. */
function stillNeeded(needs: ApprovalView['needs'], votes: ApprovalView['votes']): string {
  const missing = needs.map(
    ({ approvers, threshold }) =>
      threshold - votes.filter(({ approver, isYes }) => isYes && approvers.includes(approver)).length,
  )
  const [only = 0, ...others] = missing.filter((count) => count > 0)
  // A yes of somebody who is not active any more does not count.
  if (only === 0 || others.length > 0) return 'others must say yes too'
  return only === 1 ? 'one more yes is needed' : `${only} more must say yes`
}
