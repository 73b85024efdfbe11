import type { Middleware } from 'koa'
import { z } from 'zod'
import type { RegisteredDelegation, SignSubjectToken } from '../../commands/admin/registered.ts'
import { type AuthorizePorts, authorizeClientToken } from '../../commands/authorize-client-token.ts'
import { listOwnDelegations, type OwnDelegationPorts } from '../../commands/list-own-delegations.ts'
import { delegableDocument } from '../../core/delegation/delegable.ts'
import { isRefusal, refuse } from '../../core/refusal.ts'
import type { Cursors } from '../cursor.ts'
import { listPage } from '../list-page.ts'
import { readListQuery } from '../list-query.ts'
import { presentedToken } from '../presented-token.ts'
import { answerProtectedError } from './protected-error.ts'

export interface OwnDelegationsParts {
  readonly ports: AuthorizePorts & OwnDelegationPorts & { readonly issuer: string }
  readonly signSubjectToken: SignSubjectToken
  readonly cursors: Cursors
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8.2). */
  readonly nextNonce: (() => string) | undefined
}

/** `GET /delegations`: an agent asks what it may do, with its agent token; each item holds its subject token. */
export function ownDelegationsEndpoint({
  ports,
  signSubjectToken,
  cursors,
  nextNonce,
}: OwnDelegationsParts): Middleware {
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const call = presentedToken(context.req, `${ports.issuer}/delegations`)
    const authorized = isRefusal(call) ? call : await authorizeClientToken(ports, 'agent', call)
    if (isRefusal(authorized)) return answerProtectedError(context, authorized)
    if (!ports.admission.admits(authorized.client.id, ports.now())) {
      return answerProtectedError(context, refuse('rate_exceeded', 'too many requests'))
    }
    const query = readListQuery(context.querystring, z.strictObject({}))
    if (isRefusal(query)) return answerProtectedError(context, query)
    const agentId = authorized.client.id
    const list = `/delegations ${agentId}`
    const after = query.cursor === undefined ? undefined : cursors.read(list, query.cursor)
    if (isRefusal(after)) return answerProtectedError(context, after)

    // One more than asked for tells whether there is a next page.
    const found = await listOwnDelegations(ports, agentId, { after, limit: query.limit + 1 })
    const { text, last } = listPage(found, query.limit, (delegation) =>
      JSON.stringify(view(delegation, signSubjectToken(delegation))),
    )
    const next = last === undefined ? '' : `,"next_cursor":${JSON.stringify(cursors.issue(list, last.id))}`
    context.set('Cache-Control', 'no-store')
    context.type = 'application/json'
    context.body = `{"items":[${text}]${next}}`
  }
}

/** An agent sees what it may do; who granted it and why is between principal and administrator. */
const view = (delegation: RegisteredDelegation, subjectToken: string) => ({
  id: delegation.id,
  principal: delegation.principal.id,
  resource: delegation.resource,
  authorization_details: delegation.authorizationDetails,
  ...(delegation.limits !== undefined && { limits: { ...delegation.limits, remaining: delegation.remaining } }),
  approval: delegation.approval,
  delegable: delegableDocument(delegation.delegable),
  ...(delegation.notBefore !== undefined && { not_before: numericDate(delegation.notBefore) }),
  expires_at: numericDate(delegation.expiresAt),
  subject_token: subjectToken,
})

const numericDate = (date: Date) => date.getTime() / 1_000
