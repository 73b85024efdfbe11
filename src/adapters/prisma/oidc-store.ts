import { createHash } from 'node:crypto'
import type { IssuedClientToken } from '../../core/token/issued-client-token.ts'
import type { Clock, Ids, Issuance } from '../../ports.ts'
import type { Query } from './open-database.ts'

/** What oidc-provider keeps here: single uses, and the record of what it is about to sign. */
export interface OidcStore {
  readonly markOnce: (id: string, expiresInSeconds: number) => Promise<boolean>
  readonly recordClientToken: (facts: IssuedClientToken) => Promise<void>
}

export function oidcStore(query: Query, issuance: Issuance, ids: Ids, clock: Clock): OidcStore {
  return {
    markOnce: async (id, expiresInSeconds) => {
      const key = createHash('sha256').update(`oidc-provider\n${id}`).digest('hex')
      const issuedAt = clock().getTime() / 1_000
      const mark = { kind: 'proof' as const, key, until: issuedAt + expiresInSeconds, issuedAt }
      const { outcome } = await issuance.commit({ attemptId: ids.recordId(), marks: [mark], decision: 'none' })
      return outcome === 'committed'
    },
    recordClientToken: async ({ jti, client, jkt, scope, iat, exp, requestId }) => {
      const kind = client.kind === 'administrator' ? 'admin_token' : `${client.kind}_token`
      const recorded = await query(
        `INSERT INTO record (id, kind, decision, client, agent, jti, jkt, because, token_issued_at, token_expires_at, request_id)
         SELECT $1, $2, 'issued', $3, $4, $5, $6, $7::jsonb, to_timestamp($8), to_timestamp($9), $10
         WHERE $2 <> 'agent_token' OR NOT EXISTS (SELECT 1 FROM generation WHERE stopped_at IS NOT NULL)
         RETURNING 1 AS one`,
        [
          ids.recordId(),
          kind,
          client.id,
          client.kind === 'agent' ? client.id : null,
          jti,
          jkt,
          JSON.stringify({ scope }),
          iat,
          exp,
          requestId,
        ],
      )
      // Everything was stopped since the door asked: what is not recorded is not signed.
      if (recorded.length === 0) throw new Error('everything was stopped while the token was made')
    },
  }
}
