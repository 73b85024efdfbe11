import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import { type ReceiptOutcome, type ReceiptPorts, receiveReceipt } from '../../commands/receive-receipt.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { readJson } from '../read-json.ts'
import { type AuthenticatedEndpointParts, authenticatedForm } from './authenticated-form.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'

const OUTCOMES: ReadonlySet<string> = new Set<ReceiptOutcome>(['succeeded', 'failed', 'refused'])
const MAX_JTI_CHARACTERS = 255
/** Unit: code points. */
const MAX_DETAIL_CHARACTERS = 1_000
const CONTROL = /\p{Cc}/u

/** `POST /receipts`: a resource server says what came of a token for it. A form, or JSON with the same members. */
export function receiptsEndpoint(parts: AuthenticatedEndpointParts<ReceiptPorts>): Middleware {
  return async (context) => {
    const asked = await authenticatedForm(context, { ...parts, path: '/receipts', refuseParameters, read: readEither })
    if (asked === undefined) return
    const { client, form } = asked
    const outcome = await receiveReceipt(parts.ports, client, {
      jti: form.get('jti') ?? '',
      outcome: form.get('outcome') as ReceiptOutcome,
      detail: form.get('detail'),
      requestId: context.state.requestId,
    })
    if (isRefusal(outcome)) return answerOAuthError(context, outcome)
    context.set('Cache-Control', 'no-store')
    context.status = outcome.isNew ? 201 : 200
    context.body = { jti: form.get('jti'), outcome: form.get('outcome') }
  }
}

function refuseParameters(form: ReadonlyMap<string, string>): Refusal | undefined {
  const malformed = (detail: string) => refuse('request_malformed', detail)
  const [jti, outcome, detail = ''] = [form.get('jti'), form.get('outcome'), form.get('detail')]
  if (jti === undefined || jti.length > MAX_JTI_CHARACTERS) return malformed('"jti" is missing or too long')
  if (!OUTCOMES.has(outcome ?? '')) return malformed('"outcome" must be succeeded, failed or refused')
  if ([...detail].length > MAX_DETAIL_CHARACTERS) return malformed('"detail" is longer than 1000 characters')
  return CONTROL.test(detail) ? malformed('"detail" has a control character') : undefined
}

async function readEither(request: IncomingMessage): Promise<ReadonlyMap<string, string> | Refusal> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return readForm(request)
  const body = await readJson(request, 'json')
  if (isRefusal(body)) {
    if (body.code === 'media_type_unsupported') return refuse('request_not_form', body.detail)
    return body.code === 'request_too_large' ? body : refuse('request_malformed', body.detail)
  }
  const members = Object.entries(body.object)
  const texts = members.filter((member): member is [string, string] => typeof member[1] === 'string')
  if (texts.length < members.length) return refuse('request_malformed', 'every member must be a string')
  // As in a form, a parameter without a value is one that was not sent (RFC 6749 §3.1).
  return new Map(texts.filter(([, value]) => value !== ''))
}
