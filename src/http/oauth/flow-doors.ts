import type { Context } from 'koa'
import { type AuthenticatePorts, authenticateClient } from '../../commands/authenticate-client.ts'
import type { FlowClient, FlowGrantType } from '../../commands/people/consents.ts'
import { refuseWhileStopped, type StopPorts } from '../../commands/refuse-while-stopped.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import type { RateLimiter } from '../rate-limit.ts'
import { clientEvidence, refuseOtherAuthentication } from './client-evidence.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { OpenedProvider } from './provider.ts'
import { readForm } from './read-form.ts'
import type { FailureThrottle } from './throttle.ts'

export interface FlowDoorParts {
  readonly ports: AuthenticatePorts & StopPorts & { readonly issuer: string }
  /** The provider of now: it is built anew when a key changes. */
  readonly provider: () => OpenedProvider
  readonly findFlowClient: (id: string) => Promise<FlowClient | undefined>
  readonly throttle: FailureThrottle
  /** Browsers that come for one agent: what each of them is asked is stored, and nobody has shown who he is. */
  readonly visits: RateLimiter
  readonly showError: (context: Context, error: { readonly error: string; readonly error_description: string }) => void
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
}

/** The doors of the flows in which a principal delegates in a browser. */
export interface FlowDoors {
  /** At `/token`: fetches the subject token of the delegation that a flow ended in. */
  readonly redeem: (context: Door, form: ReadonlyMap<string, string>, grant: FlowGrantType) => Promise<void>
  /** `POST /par` (RFC 9126). */
  readonly par: (context: Context) => Promise<void>
  /** `POST /device_authorization` (RFC 8628 §3.1). */
  readonly deviceAuthorization: (context: Context) => Promise<void>
  /** `POST /backchannel` without a `subject_token` (CIBA Core §7): the form was read, nobody is authenticated. */
  readonly backchannel: (context: Door, form: ReadonlyMap<string, string>) => Promise<void>
  /** `GET /authorize`, and the way back from our page. */
  readonly authorize: (context: Context) => Promise<void>
}

/**
 * Clients are authenticated here, by the rules of the exchange; the library serves what comes after. Whatever a flow ends in is a
 * delegation, and its token is on record before it is signed.
 */
export function flowDoors(parts: FlowDoorParts): FlowDoors {
  const { provider, nextNonce } = parts
  const endpoint = (path: string, grant: FlowGrantType) => async (context: Context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const form = await readForm(context.req)
    const refused = isRefusal(form) ? form : refuseOtherAuthentication(context.req, form)
    if (isRefusal(form) || refused !== undefined) return answerOAuthError(context, refused as Refusal)
    await admit(parts, context, form, { path, grant, proof: 'when_present' })
  }
  return {
    redeem: async (context, form, grant) => {
      // What was asked for was answered by a principal; what he said is not changed here.
      if (form.has('scope')) return answerOAuthError(context, refuse('scope_not_allowed', 'no scope is given out here'))
      if (form.has('authorization_details')) {
        const detail = '"authorization_details" belongs to the authorization request'
        return answerOAuthError(context, refuse('request_malformed', detail))
      }
      await admit(parts, context, form, { path: '/token', grant, proof: 'required' })
    },
    par: endpoint('/par', 'authorization_code'),
    deviceAuthorization: endpoint('/device_authorization', 'device_code'),
    backchannel: (context, form) =>
      admit(parts, context, form, { path: '/backchannel', grant: 'ciba', proof: 'when_present' }),
    authorize: async (context) => {
      const problem = await visitProblem(parts, context)
      if (problem === undefined) return provider().pass(context)
      parts.showError(context, problem)
      if (problem !== TOO_MANY) return
      context.status = 429
      context.set('Retry-After', '1')
    },
  }
}

/** Authenticates the agent, and passes on what it asks for if it is registered for it. */
async function admit(
  parts: FlowDoorParts,
  context: Door,
  form: ReadonlyMap<string, string>,
  {
    path,
    grant,
    proof,
  }: { readonly path: string; readonly grant: FlowGrantType; readonly proof: 'required' | 'when_present' },
): Promise<void> {
  const { ports, throttle, findFlowClient, provider } = parts
  const { requestId } = context.state
  const evidence = clientEvidence(context.req, form, `${ports.issuer}${path}`)
  const outcome = await authenticateClient(ports, evidence, proof, requestId)
  if (outcome.refusal !== undefined) {
    return answerOAuthError(
      context,
      outcome.isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal),
    )
  }
  const { client, jkt } = outcome
  const flow = client.kind === 'agent' ? await findFlowClient(client.id) : undefined
  const refusal =
    flow?.grantTypes.includes(grant) === true
      ? (refuseRedirect(flow, form.get('redirect_uri'), path) ?? (await refuseWhileStopped(ports, client)))
      : refuse('grant_not_allowed', 'the agent is not registered for this grant')
  if (refusal !== undefined) return answerOAuthError(context, refusal)
  const parameters = new Map([...form, ['client_id', client.id]])
  // It has done what it was for, and the library is not to judge it a second time, by other rules.
  for (const name of ['client_assertion', 'client_assertion_type']) parameters.delete(name)
  delete context.req.headers['oauth-client-attestation']
  await provider().pass(context, parameters, { clientId: client.id, jkt, requestId })
}

/**
 * Redirect URIs are compared as strings (RFC 9700 §2.1), before anything else can go wrong that a browser would be sent there with.
 * The library lets the port of a loopback address vary where an agent has a private-use scheme as well; we do not.
 */
const isRegistered = (flow: FlowClient, uri: string | string[] | undefined) =>
  typeof uri === 'string' && flow.redirectUris.includes(uri)

/** Why a browser that comes is not let on, and not sent back either. */
async function visitProblem({ findFlowClient, visits, ports }: FlowDoorParts, context: Context) {
  const { client_id: id, redirect_uri: uri, response_mode: mode } = context.query
  // As in a form: no text of ours has it, and no database takes it.
  if (/%00/.test(context.querystring)) return NOT_TEXT
  // Whatever else goes wrong, the library would say it by the mode that is asked for: by a script that our pages do not run.
  if (mode !== undefined && mode !== 'query') return NOT_BY_QUERY
  // On the way back from our page nothing is named.
  if (typeof id !== 'string') return undefined
  const flow = uri === undefined ? undefined : await findFlowClient(id)
  if (flow !== undefined && !isRegistered(flow, uri)) return UNREGISTERED
  return visits.take(id, ports.now()) ? undefined : TOO_MANY
}

const NOT_TEXT = { error: 'invalid_request', error_description: 'the query is not well encoded' }
const NOT_BY_QUERY = { error: 'invalid_request', error_description: 'the response_mode must be query' }
const TOO_MANY = {
  error: 'temporarily_unavailable',
  error_description: 'too many browsers come for this agent at once',
}
const UNREGISTERED = {
  error: 'invalid_request',
  error_description: 'the redirect_uri is not registered for this agent',
}

function refuseRedirect(flow: FlowClient, uri: string | undefined, path: string): Refusal | undefined {
  return path !== '/par' || uri === undefined || isRegistered(flow, uri)
    ? undefined
    : refuse('request_malformed', '"redirect_uri" is not registered for this agent')
}
