import { type IntrospectAtOncePorts, introspectAtOnce } from '../../commands/introspect-at-once.ts'
import type { Introspection, Receipt } from '../../commands/introspect-token.ts'
import type { Client } from '../../core/agent/client.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { type AuthenticatedEndpointParts, answerRefusedClient, evidencedForm } from './authenticated-form.ts'

const JWT_RESPONSE = 'application/token-introspection+jwt'
const USE_ID = /^[\x20-\x7e]{1,128}$/

/** `POST /introspect` (RFC 7662): a resource server asks about a token for it, and may use it up. */
export function introspectionEndpoint(
  parts: AuthenticatedEndpointParts<IntrospectAtOncePorts>,
): (door: Door) => Promise<void> {
  const { ports } = parts
  return async (context) => {
    const asked = await evidencedForm(context, { ...parts, path: '/introspect', refuseParameters })
    if (asked === undefined) return
    const { evidence, form } = asked
    const token = form.get('token') ?? ''
    const useId = form.get('consume_id')
    const request = form.has('consume') ? { token, consume: { useId } } : { token }
    const outcome = await introspectAtOnce(ports, evidence, request, context.state.requestId)
    if (outcome.refusal !== undefined) return answerRefusedClient(context, outcome, parts.throttle)
    const { client, introspection } = outcome
    const answer = shown(introspection)
    context.set('Cache-Control', 'no-store')
    if (!wantsJwt(context)) {
      context.body = answer
      return
    }
    const jwt = await ports.signer.signIntrospection(introspectionClaims(ports.issuer, client, answer, ports.now()))
    context.type = JWT_RESPONSE
    context.body = jwt
  }
}

/** The claims of an answer as a JWT (RFC 9701 §5): made for the one who asked, whatever the answer is. */
function introspectionClaims(issuer: string, client: Client, answer: object, now: Date): string {
  return JSON.stringify({
    iss: issuer,
    aud: client.identifier === undefined ? [client.id] : [client.id, client.identifier],
    iat: Math.floor(now.getTime() / 1_000),
    token_introspection: answer,
  })
}

function shown(introspection: Introspection): object {
  if (introspection.active) return { ...introspection.claims, active: true }
  const { consumed } = introspection
  if (consumed === undefined) return { active: false }
  return { active: false, consumed: { at: numericDate(consumed.at), receipt: receiptView(consumed.receipt) } }
}

const receiptView = (receipt: Receipt | undefined) =>
  receipt === undefined ? null : { ...receipt, at: numericDate(receipt.at) }

const numericDate = (date: Date) => date.getTime() / 1_000

function refuseParameters(form: ReadonlyMap<string, string>): Refusal | undefined {
  const malformed = (detail: string) => refuse('request_malformed', detail)
  if (!form.has('token')) return malformed('"token" is missing')
  const [consume, useId] = [form.get('consume'), form.get('consume_id')]
  if (consume !== undefined && consume !== 'true') return malformed('"consume" must be true or absent')
  if (useId === undefined) return undefined
  if (consume === undefined) return malformed('"consume_id" needs "consume"')
  return USE_ID.test(useId) ? undefined : malformed('"consume_id" must be 1 to 128 printable ASCII characters')
}

/** Whether the caller asks for a JWT (RFC 9701 §4): it names that type itself. */
const wantsJwt = ({ req }: Door) =>
  (req.headers.accept ?? '')
    .toLowerCase()
    .split(',')
    .some((range) => range.split(';')[0]?.trim() === JWT_RESPONSE)
