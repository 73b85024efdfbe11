import { createHash } from 'node:crypto'
import type { ModelPayload, OidcModels } from '../../consent-ports.ts'
import type { KeyEncryption } from '../keys/key-encryption.ts'
import type { Query } from './open-database.ts'

/** Backchannel requests of one principal that are looked at: one more than may wait for him. */
const MAX_WAITING = 101

interface Row {
  readonly id_hash: Uint8Array
  readonly sealed: Uint8Array
  readonly consumed_at: Date | null
  readonly answered_at: Date | null
  readonly expires_at: Date
}

/**
 * What oidc-provider keeps, in one table: rows are found by digests of their ids, and what stands in them is sealed. Whoever reads
 * the database finds no code, no session and nothing of what was asked for.
 */
export function oidcModels(query: Query, encryption: KeyEncryption): OidcModels {
  const payloadOf = (model: string, { id_hash, sealed, consumed_at }: Row): ModelPayload => {
    const payload: ModelPayload = JSON.parse(encryption.open(sealed, sealName(model, id_hash)).toString('utf8'))
    return consumed_at === null ? payload : { ...payload, consumed: Math.floor(consumed_at.getTime() / 1_000) }
  }
  const findBy = async (column: string, model: string, hash: Buffer) => {
    const [row] = await query<Row>(`SELECT ${COLUMNS} FROM oidc_model WHERE model = $1 AND ${column} = $2`, [
      model,
      hash,
    ])
    return row && payloadOf(model, row)
  }
  const toConsent = (model: string, row: Row) => ({
    handle: Buffer.from(row.id_hash).toString('base64url'),
    payload: payloadOf(model, row),
    isAnswered: row.answered_at !== null,
    expiresAt: row.expires_at,
  })
  return {
    find: (model, id) => findBy('id_hash', model, digest(id)),
    findByUserCode: (userCode) => findBy('user_hash', 'DeviceCode', digest(userCode)),
    findByUid: (model, uid) => findBy('uid_hash', model, digest(uid)),
    save: async (model, id, payload, expiresInSeconds) => {
      const idHash = digest(id)
      const sealed = encryption.seal(Buffer.from(JSON.stringify(payload)), sealName(model, idHash))
      // What was used up or answered stays so, whatever is written into it afterwards.
      await query(
        `INSERT INTO oidc_model AS m (model, id_hash, sealed, grant_hash, user_hash, uid_hash, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7::double precision * interval '1 second')
         ON CONFLICT (model, id_hash) DO UPDATE SET sealed = EXCLUDED.sealed, grant_hash = EXCLUDED.grant_hash,
           user_hash = EXCLUDED.user_hash, uid_hash = EXCLUDED.uid_hash, expires_at = EXCLUDED.expires_at`,
        [
          ...[
            model,
            idHash,
            sealed,
            digestOf(payload.grantId),
            digestOf(userOf(model, payload)),
            digestOf(payload.uid),
          ],
          expiresInSeconds,
        ],
      )
    },
    consume: async (model, id) => {
      const used = await query(
        `UPDATE oidc_model SET consumed_at = clock_timestamp()
         WHERE model = $1 AND id_hash = $2 AND consumed_at IS NULL RETURNING 1 AS one`,
        [model, digest(id)],
      )
      return used.length === 1
    },
    remove: async (model, id) => {
      await query('DELETE FROM oidc_model WHERE model = $1 AND id_hash = $2', [model, digest(id)])
    },
    removeByGrant: async (model, grantId) => {
      await query('DELETE FROM oidc_model WHERE model = $1 AND grant_hash = $2', [model, digest(grantId)])
    },
    findConsent: async (model, handle) => {
      const [row] = await query<Row>(
        `SELECT ${COLUMNS} FROM oidc_model WHERE model = $1 AND id_hash = $2 AND expires_at > clock_timestamp()`,
        [model, Buffer.from(handle, 'base64url')],
      )
      return row && toConsent(model, row)
    },
    waitingFor: async (principalId) => {
      const rows = await query<Row>(
        `SELECT ${COLUMNS} FROM oidc_model WHERE model = $1 AND user_hash = $2 AND answered_at IS NULL
           AND expires_at > clock_timestamp() ORDER BY expires_at LIMIT ${MAX_WAITING}`,
        [BACKCHANNEL, digest(principalId)],
      )
      return rows.map((row) => toConsent(BACKCHANNEL, row))
    },
  }
}

/** Marks what a principal was asked for as answered, in the transaction of the answer. False: it was, or it is over. */
export async function takeConsent(query: Query, model: string, handle: string): Promise<boolean> {
  const taken = await query(
    `UPDATE oidc_model SET answered_at = clock_timestamp() WHERE model = $1 AND id_hash = $2
       AND answered_at IS NULL AND consumed_at IS NULL AND expires_at > clock_timestamp() RETURNING 1 AS one`,
    [model, Buffer.from(handle, 'base64url')],
  )
  return taken.length === 1
}

const BACKCHANNEL = 'BackchannelAuthenticationRequest'
const COLUMNS = 'id_hash, sealed, consumed_at, answered_at, expires_at'

const digest = (text: string) => createHash('sha256').update(text).digest()
const digestOf = (value: unknown) => (typeof value === 'string' ? digest(value) : null)

/** By whom it is found: by the user code, or by the principal who is asked. */
const userOf = (model: string, payload: ModelPayload) =>
  model === 'DeviceCode' ? payload.userCode : model === BACKCHANNEL ? payload.accountId : undefined

/** One sealed row cannot be put in another's place. */
const sealName = (model: string, idHash: Uint8Array) => `oidc_model:${model}:${Buffer.from(idHash).toString('hex')}`
