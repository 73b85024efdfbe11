import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { isRefusal } from '../../core/refusal.ts'
import { jwkThumbprint, type PublicJwk, parsePublicJwk } from '../../wire/jwk.ts'
import { createPrivateFile, readPrivateFile } from '../keys/private-file.ts'
import type { Database, Query } from '../prisma/open-database.ts'

const CLIENT_ID = 'admin'
const SCOPE = ['admin', 'admin:read', 'admin:approve']

const CredentialFile = z.looseObject({
  client_id: z.literal(CLIENT_ID),
  jwk: z.looseObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string(), d: z.string() }),
})

export const credentialPath = (dataDirectory: string) => join(dataDirectory, 'admin-credential.json')

/**
 * Makes the first administrator where there is none, and leaves its private key in `<data directory>/admin-credential.json`.
 *
 * The file comes first, synced; then the client is committed. A start that died in between left a file that is used now.
 * Runs under the migration lock.
 *
 * @returns the path of the credential when the administrator was made now.
 */
export async function ensureAdministrator(
  database: Pick<Database, 'query' | 'transaction'>,
  dataDirectory: string,
): Promise<string | undefined> {
  const [row] = await database.query('SELECT 1 FROM administrator LIMIT 1')
  if (row !== undefined) return undefined
  const { path, jwk } = await writeCredential(dataDirectory)
  await database.transaction(async (query) => {
    await query(`INSERT INTO identity (id, kind) VALUES ($1, 'administrator')`, [CLIENT_ID])
    await query('INSERT INTO administrator (id, name, scope) VALUES ($1, $2, $3)', [
      CLIENT_ID,
      'First administrator',
      SCOPE,
    ])
    await insertKey(query, jwk)
  })
  return path
}

/**
 * Gives the first administrator a new key, every scope and an active status: the only way back for who has lost it.
 *
 * Its old keys are retired. The record says that it was done here, past the admin API.
 */
export async function resetAdministrator(
  database: Pick<Database, 'transaction'>,
  dataDirectory: string,
  recordId: string,
): Promise<void> {
  const { jwk } = await writeCredential(dataDirectory)
  await database.transaction(async (query) => {
    await query(`INSERT INTO identity (id, kind) VALUES ($1, 'administrator') ON CONFLICT DO NOTHING`, [CLIENT_ID])
    await query(
      `INSERT INTO administrator (id, name, scope) VALUES ($1, $2, $3)
       ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, status = 'active',
         version = administrator.version + 1, updated_at = now()`,
      [CLIENT_ID, 'First administrator', SCOPE],
    )
    await query(`UPDATE key SET status = 'retired', retired_at = now() WHERE owner_id = $1 AND status = 'active'`, [
      CLIENT_ID,
    ])
    await insertKey(query, jwk)
    await query(
      `INSERT INTO record (id, kind, decision, client, because) VALUES ($1, 'admin', 'done', NULL, $2::jsonb)`,
      [recordId, JSON.stringify({ operation: 'administrator.reset_credential', target: CLIENT_ID })],
    )
  })
}

const DER = { format: 'der', type: 'pkcs8' } as const

/** A new key in the file, or the one of an earlier start that died before its client was committed. */
async function writeCredential(dataDirectory: string) {
  const path = credentialPath(dataDirectory)
  const made = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  // By way of DER: Node.js 20 may block for ever in the JWK of a key that it has just made, if garbage is collected meanwhile.
  const privateKey = createPrivateKey({ key: made.export(DER), ...DER })
  const credential = { client_id: CLIENT_ID, jwk: { ...privateKey.export({ format: 'jwk' }), alg: 'ES256' } }
  await createPrivateFile(path, `${JSON.stringify(credential, null, 2)}\n`)
  return { path, jwk: await readCredentialKey(path) }
}

async function insertKey(query: Query, jwk: PublicJwk): Promise<void> {
  await query(`INSERT INTO key (kid, owner_id, jwk, label) VALUES ($1, $2, $3::jsonb, $4)`, [
    jwkThumbprint(jwk),
    CLIENT_ID,
    JSON.stringify(jwk),
    'admin-credential.json',
  ])
}

/** A left-over credential file that cannot be used. The message is one line for the operator. */
export class CredentialUnusable extends Error {
  override readonly name = 'CredentialUnusable'
}

/** The public half of the key in the file, which may be an earlier start's. */
async function readCredentialKey(path: string) {
  const mend = `remove ${path} and start again, or put the right file there`
  const parsed = CredentialFile.safeParse(jsonOf((await readPrivateFile(path)) ?? ''))
  if (!parsed.success) throw new CredentialUnusable(`${path} is not an administrator's credential; ${mend}`)
  const { kty, crv, x, y } = parsed.data.jwk
  const jwk = parsePublicJwk({ kty, crv, x, y })
  if (isRefusal(jwk)) throw new CredentialUnusable(`${path}: ${jwk.detail}; ${mend}`)
  return jwk
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
