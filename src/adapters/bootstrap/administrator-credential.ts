import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { isRefusal } from '../../core/refusal.ts'
import { jwkThumbprint, parsePublicJwk } from '../../wire/jwk.ts'
import { createPrivateFile, readPrivateFile } from '../keys/private-file.ts'
import type { Database } from '../prisma/open-database.ts'

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
  const path = credentialPath(dataDirectory)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const credential = { client_id: CLIENT_ID, jwk: { ...privateKey.export({ format: 'jwk' }), alg: 'ES256' } }
  await createPrivateFile(path, `${JSON.stringify(credential, null, 2)}\n`)

  const jwk = await readCredentialKey(path)
  await database.transaction(async (query) => {
    await query(`INSERT INTO identity (id, kind) VALUES ($1, 'administrator')`, [CLIENT_ID])
    await query('INSERT INTO administrator (id, name, scope) VALUES ($1, $2, $3)', [
      CLIENT_ID,
      'First administrator',
      SCOPE,
    ])
    await query(`INSERT INTO key (kid, owner_id, jwk, label) VALUES ($1, $2, $3::jsonb, $4)`, [
      jwkThumbprint(jwk),
      CLIENT_ID,
      JSON.stringify(jwk),
      'admin-credential.json',
    ])
  })
  return path
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
