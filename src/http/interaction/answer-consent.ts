import type { Context } from 'koa'
import { type RefuseConsentPorts, refuseConsent } from '../../commands/people/consents.ts'
import { type DelegatePorts, delegate } from '../../commands/people/delegate.ts'
import type { JudgeAskedPorts } from '../../commands/people/judge-asked.ts'
import { isRefusal } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import type { ConsentResult } from '../oauth/provider.ts'
import type { SignedIn } from '../pages/signed-in.ts'
import { readConsentForm } from './consent-form.ts'
import { answerConsentPage } from './consent-page.ts'
import { answerRefusedPage } from './consent-problem.ts'
import type { ConsentRequest } from './consent-request.ts'

export type ConsentPorts = DelegatePorts & RefuseConsentPorts & JudgeAskedPorts

export interface Answering {
  readonly request: ConsentRequest
  readonly signedIn: SignedIn
  readonly form: ReadonlyMap<string, string>
  /** Where the form is sent, when it has to be mended. */
  readonly action: string
  readonly hidden?: Readonly<Record<string, string>>
  /** Tells the flow, and the browser, how it goes on. */
  readonly finish: (result: ConsentResult) => Promise<void>
}

/** Takes a principal's answer: a no, or a yes to as much as the form says, which becomes a delegation. */
export async function answerConsent(ports: ConsentPorts, context: Context, answering: Answering): Promise<void> {
  const { request, signedIn, form, finish } = answering
  const { requestId } = context.state
  const { principalId, loginId } = signedIn
  const consent = { model: request.model, handle: request.handle }
  const answer = form.get('answer')
  if (answer === 'deny') {
    const refused = await refuseConsent(ports, {
      ...{ consent, principal: principalId, agent: request.agentId, loginId, flow: request.flow, requestId },
    })
    return refused === undefined ? finish('denied') : answerRefusedPage(context, refused, signedIn)
  }
  const maxSeconds = ports.maxDelegationSeconds
  const again = (problem: string) =>
    answerConsentPage(context, { ...answering, maxSeconds, now: ports.now(), answers: form, problem })
  if (answer !== 'allow') return again('Say whether you allow it or refuse it.')

  const narrowed = readConsentForm(form, { bounds: request.asked.bounds, maxSeconds, now: ports.now() })
  if ('problem' in narrowed) return again(narrowed.problem)
  const granted = await delegate(ports, {
    ...{ principal: principalId, agent: request.agentId, resource: request.resource, ...narrowed },
    // The agent's words stay the agent's: what a delegation is for is said by whoever grants it.
    ...{ notBefore: undefined, purpose: undefined },
    ...{ asked: request.asked.values, consent, loginId, flow: request.flow, requestId },
  })
  if (!isRefusal(granted)) return finish({ principalId, grantId: granted.id })
  context.state.refusal = granted.code
  return granted.code === 'status_conflict'
    ? answerRefusedPage(context, granted, signedIn)
    : again(`${describeRefusal(granted)}.`)
}
