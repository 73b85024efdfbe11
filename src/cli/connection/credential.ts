import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import type { Io } from '../io.ts'

/** Who we are to the server: a client of the admin API, and its private key. */
export interface Credential {
  readonly clientId: string
  readonly alg: 'ES256' | 'Ed25519'
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
  /** Its thumbprint (RFC 7638). */
  readonly kid: string
  readonly path: string
}

const MAX_FILE_BYTES = 16 * 1024
const Coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const CredentialFile = z.looseObject({
  client_id: z.string().min(1).max(255),
  jwk: z.union([
    z.looseObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate, d: Coordinate }),
    z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: Coordinate, d: Coordinate }),
  ]),
})

/** Where the credential lies when nobody says: where the first start of the server left it. */
export function defaultCredentialPath(env: Io['env']): string {
  const name = 'admin-credential.json'
  if (env.WRIT_DATA_DIR) return resolve(env.WRIT_DATA_DIR, name)
  const here = resolve('.writ', name)
  const ofServer = join(fileURLToPath(new URL('../../..', import.meta.url)), '.writ', name)
  return existsSync(here) ? here : ofServer
}

/**
 * Reads a credential file: `{"client_id", "jwk": <private JWK>}`, readable by its owner alone.
 *
 * @throws CliError where there is none, others may read it, or it is not one.
 */
export async function readCredential(path: string): Promise<Credential> {
  const fail = (message: string, mend: string): never => {
    throw new CliError(EXIT.unreachable, message, { where: path, mend })
  }
  const text = await readOwnFile(path, fail)
  const parsed = CredentialFile.safeParse(jsonOf(text))
  if (!parsed.success) {
    return fail(
      'the credential file is not {"client_id": …, "jwk": <private P-256 or Ed25519 JWK>}',
      'name the right file with --credential or WRIT_CREDENTIAL, or make a new one with `writ admin reset-credential`',
    )
  }
  const { client_id: clientId, jwk } = parsed.data
  const alg = jwk.kty === 'EC' ? 'ES256' : 'Ed25519'
  const publicJwk: JWK =
    jwk.kty === 'EC' ? { kty: 'EC', crv: jwk.crv, x: jwk.x, y: jwk.y } : { kty: 'OKP', crv: jwk.crv, x: jwk.x }
  const privateKey = await importJWK({ ...publicJwk, d: jwk.d }, alg).catch(() =>
    fail('the key in the credential file is not a valid private key', 'restore the file from where it was kept'),
  )
  if (privateKey instanceof Uint8Array) return fail('the key is symmetric', 'restore the file from where it was kept')
  return { clientId, alg, privateKey, publicJwk, kid: await calculateJwkThumbprint(publicJwk), path }
}

async function readOwnFile(path: string, fail: (message: string, mend: string) => never): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return fail(
        'there is no credential file',
        'start the server once (it writes the file), or name the file with --credential or WRIT_CREDENTIAL',
      )
    }
    return fail(`the credential file cannot be opened (${error.code})`, 'run this as the user whom the file belongs to')
  })
  try {
    // Asked of the open file: what is checked is what is read.
    const { mode, size } = await file.stat()
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      return fail(
        `others may read or change the credential file (mode ${shown}, must be 0600 or narrower)`,
        `chmod 600 ${quoted(path)}; if someone may have read it, also replace its key: writ admin reset-credential`,
      )
    }
    if (size > MAX_FILE_BYTES) return fail('the credential file is too large to be one', 'name the right file')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

const quoted = (path: string) => (/^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
