import { randomBytes } from 'node:crypto'
import type { Query } from '../prisma/open-database.ts'
import type { KeyEncryption } from './key-encryption.ts'

const SECRET_BYTES = 32

export type SecretName = 'cookie' | 'nonce' | 'cursor'

/** A secret that all processes on one database share; the first to ask makes it. 32 bytes. */
export async function serverSecret(query: Query, encryption: KeyEncryption, name: SecretName): Promise<Buffer> {
  const context = `server_secret:${name}`
  const fresh = encryption.seal(randomBytes(SECRET_BYTES), context)
  await query('INSERT INTO server_secret (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, fresh])
  const [row] = await query<{ sealed: Uint8Array }>('SELECT sealed FROM server_secret WHERE name = $1', [name])
  if (row === undefined) throw new Error(`the server secret "${name}" is missing`)
  return encryption.open(row.sealed, context)
}
