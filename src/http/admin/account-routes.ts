import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpRecords, lookUpSigningKeys } from '../../commands/admin/look-up.ts'
import type { AuditRecord, RegisteredSigningKey } from '../../commands/admin/registered.ts'
import { type RevokedToken, revokeToken } from '../../commands/admin/revoke-token.ts'
import { rotateSigningKeys } from '../../commands/admin/rotate-signing-keys.ts'
import { endStop, lookUpStop, type StopState, stopEverything } from '../../commands/admin/stop-everything.ts'
import { ActionTypeName, Id, Moment, Reason, ReasonOnly, ShownJwk, TimestampText, withoutNulls } from './members.ts'
import { change, list, type Route, show } from './route.ts'

/** Ids and URIs are of these characters; anything else names nothing. */
const Printable = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')

const RecordFilters = z.strictObject({
  agent: Id.optional(),
  principal: Id.optional(),
  delegation: Printable.max(255).optional(),
  resource: Printable.max(2_048).optional(),
  type: ActionTypeName.optional(),
  decision: z.enum(['issued', 'pending', 'refused', 'done']).optional(),
  // Both exclusive.
  after: TimestampText.optional(),
  before: TimestampText.optional(),
})
const Rotation = z
  .strictObject({ compromised: z.boolean().default(false), reason: Reason.optional() })
  .meta({ id: 'Rotation' })

const AccountEntry = z
  .object({
    id: z.string(),
    at: Moment,
    kind: z.string(),
    decision: z.enum(['issued', 'pending', 'refused', 'done']),
    refusal: z.string().optional(),
    detail: z.string().optional(),
    client: z.string().optional(),
    agent: z.string().optional(),
    principal: z.string().optional(),
    delegation: z.string().optional(),
    resource: z.string().optional(),
    action_type: z.string().optional(),
    action_type_version: z.int().optional(),
    action: z.json().optional(),
    action_digest: z.string().optional(),
    jti: z.string().optional(),
    jkt: z.string().optional(),
    txn: z.string().optional(),
    turn: z.string().optional(),
    because: z.json().optional(),
    token_issued_at: Moment.optional(),
    token_expires_at: Moment.optional(),
    request_id: z.string().optional(),
  })
  .meta({ id: 'Record' })
const RevokedTokenShown = z.object({ jti: z.string(), status: z.literal('revoked'), expires_at: Moment })
const SigningKeys = z
  .object({
    items: z.array(
      z.object({
        ...{ kid: z.string(), alg: z.string(), jwk: ShownJwk },
        status: z.enum(['published', 'active', 'retired', 'compromised']),
        ...{ created_at: Moment, activates_at: Moment },
        ...{ retired_at: Moment.optional(), compromised_at: Moment.optional() },
      }),
    ),
  })
  .meta({ id: 'SigningKeys' })

const StopShown = z
  .object({
    stopped: z.boolean(),
    ...{ since: Moment.optional(), by: z.string().optional(), reason: z.string().optional() },
  })
  .meta({ id: 'Stop' })

/** What has been issued and done, how to withdraw a token, and the keys that sign. */
export const accountRoutes: readonly Route[] = [
  list({
    ...{ path: '/records', summary: 'Lists entries of the account, newest first.', filters: RecordFilters },
    ...{ operation: 'listRecords', shows: AccountEntry },
    run: (ports, { filter, page }) => lookUpRecords(ports, filter, page),
    view: recordView,
    position: ({ id }) => id,
  }),
  change({
    ...{ method: 'POST', path: '/tokens/:jti/revoke', summary: 'Withdraws a token.', status: 200, body: ReasonOnly },
    ...{ operation: 'revokeToken', shows: RevokedTokenShown },
    run: (ports, call: ChangeCall<RevokedToken>, { params: { jti = '' }, body: { reason } }) =>
      revokeToken(ports, call, jti, reason),
    show: ({ jti, expiresAt }) => ({ view: { jti, status: 'revoked', expires_at: expiresAt } }),
  }),
  show({
    ...{ path: '/signing-keys', summary: 'Lists the keys of the server, the one activated last first.' },
    ...{ operation: 'listSigningKeys', shows: SigningKeys },
    run: (ports) => lookUpSigningKeys(ports),
    show: signingKeysShown,
  }),
  change({
    ...{ method: 'POST', path: '/signing-keys/rotate', status: 200, body: Rotation },
    ...{ operation: 'rotateSigningKeys', shows: SigningKeys },
    summary: 'Publishes a new signing key; with "compromised", withdraws the others at once.',
    run: (ports, call: ChangeCall<readonly RegisteredSigningKey[]>, { body: { compromised, reason } }) =>
      rotateSigningKeys(ports, call, { isCompromised: compromised, reason }),
    show: signingKeysShown,
  }),
  show({
    ...{ path: '/stop', summary: 'Says whether everything is stopped.', operation: 'showStop', shows: StopShown },
    run: (ports) => lookUpStop(ports),
    show: stopShown,
  }),
  change({
    ...{ method: 'POST', path: '/stop', status: 200, body: ReasonOnly, operation: 'stopEverything', shows: StopShown },
    summary: 'Stops everything: nothing is issued to agents, no action token is active.',
    run: (ports, call: ChangeCall<StopState>, { body: { reason } }) => stopEverything(ports, call, reason),
    show: stopShown,
  }),
  change({
    ...{ method: 'DELETE', path: '/stop', status: 200, body: ReasonOnly, operation: 'endStop', shows: StopShown },
    summary: 'Ends the stop.',
    run: (ports, call: ChangeCall<StopState>, { body: { reason } }) => endStop(ports, call, reason),
    show: stopShown,
  }),
]

function stopShown({ stop }: StopState) {
  return { view: { stopped: stop !== undefined, ...(stop && withoutNulls({ ...stop })) } }
}

function recordView({ action, ...record }: AuditRecord) {
  return withoutNulls({
    id: record.id,
    at: record.at,
    kind: record.kind,
    decision: record.decision,
    refusal: record.refusal,
    detail: record.detail,
    client: record.client,
    agent: record.agent,
    principal: record.principal,
    delegation: record.delegation,
    resource: record.resource,
    action_type: record.actionType,
    action_type_version: record.actionTypeVersion,
    // Text of ours, in canonical form.
    action: action === null ? null : JSON.parse(action),
    action_digest: record.actionDigest,
    jti: record.jti,
    jkt: record.jkt,
    txn: record.txn,
    turn: record.turn,
    because: record.because,
    token_issued_at: record.tokenIssuedAt,
    token_expires_at: record.tokenExpiresAt,
    request_id: record.requestId,
  })
}

function signingKeysShown(keys: readonly RegisteredSigningKey[]) {
  const items = keys.map(({ kid, alg, jwk, status, createdAt, activatesAt, retiredAt, compromisedAt }) => ({
    ...{ kid, alg, status, jwk: { ...jwk, kid }, created_at: createdAt },
    ...{ activates_at: activatesAt, retired_at: retiredAt, compromised_at: compromisedAt },
  }))
  return { view: { items } }
}
