import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { AttestationSigner } from '../../attestation-ports.ts'
import { isRefusal } from '../../core/refusal.ts'
import {
  activeSigningKey,
  ROTATION_OVERLAP_SECONDS,
  type SigningKeyFacts,
  signingKeyRetiredAt,
  signingKeyStatus,
} from '../../core/token/signing-key.ts'
import type { Clock, Signer } from '../../ports.ts'
import type { TokenSigner, VerificationKey } from '../../wire/access-token.ts'
import { signClientAttestation } from '../../wire/client-attestation.ts'
import { jwkThumbprint, type PublicJwk, parsePublicJwk } from '../../wire/jwk.ts'
import { encodeHeader, signJws, signUnder } from '../../wire/jws.ts'
import { SECURITY_EVENT_TYP } from '../../wire/security-event.ts'
import type { Query } from '../prisma/open-database.ts'
import type { KeyEncryption } from './key-encryption.ts'
import { type SignedHere, signedHere } from './signed-here.ts'

/** The server signs ES256: what every resource server's library can verify. */
const ALGORITHM = 'ES256'
/** No action token outlives its key's retirement by more. Unit: seconds. */
const LONGEST_TOKEN_SECONDS = 3_600

/** A key of the server with its private part, in memory only. */
export interface SigningKey extends SigningKeyFacts {
  readonly publicJwk: PublicJwk
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** Header segment of the access tokens that it signs. */
  readonly tokenHeader: string
}

/** Nothing can be signed until an administrator rotates the keys. */
export class NoSigningKey extends Error {
  override readonly name = 'NoSigningKey'
}

export interface SigningKeys extends Signer, AttestationSigner {
  readonly all: () => readonly SigningKey[]
  /** The key that signs now. @throws when there is none. */
  readonly active: () => SigningKey
  /** A key that signed something which may still be valid; compromised keys are none. */
  readonly verificationKey: (kid: string) => VerificationKey | undefined
  /** Whether an access token was signed by this very process a moment ago. Of its key it says nothing. */
  readonly signedHere: SignedHere['has']
  /** The JWKS: what signs now, what will soon, and what signed until a moment ago (RFC 7517). */
  readonly published: () => readonly SigningKey[]
  /** Every key that may sign, with its private part, for the library that signs as well. Never shown, never logged. */
  readonly privateJwks: () => readonly Record<string, unknown>[]
  /** Reads the keys again: another process may have rotated them. */
  readonly refresh: () => Promise<void>
}

interface SigningKeyRow {
  readonly kid: string
  readonly sealed: Uint8Array
  readonly created_at: Date
  readonly activates_at: Date
  readonly compromised_at: Date | null
}

/** Loads the server's keys; `ensureSigningKey` must have run. */
export async function openSigningKeys(query: Query, encryption: KeyEncryption, clock: Clock): Promise<SigningKeys> {
  const opened = new Map<string, Pick<SigningKey, 'publicJwk' | 'privateKey' | 'publicKey' | 'tokenHeader'>>()
  const own = signedHere()
  let keys: readonly SigningKey[] = []

  const open = (row: SigningKeyRow): SigningKey => {
    let material = opened.get(row.kid)
    if (material === undefined) {
      const tokenHeader = encodeHeader({ typ: 'at+jwt', kid: row.kid }, ALGORITHM)
      material = { ...keyMaterial(encryption.open(row.sealed, sealName(row.kid))), tokenHeader }
      opened.set(row.kid, material)
    }
    return {
      ...material,
      kid: row.kid,
      createdAt: row.created_at,
      activatesAt: row.activates_at,
      ...(row.compromised_at !== null && { compromisedAt: row.compromised_at }),
    }
  }
  const refresh = async () => {
    const rows = await query<SigningKeyRow>(
      'SELECT kid, sealed, created_at, activates_at, compromised_at FROM signing_key ORDER BY activates_at, kid',
    )
    keys = rows.map(open)
  }
  const active = () => {
    const key = activeSigningKey(keys, clock())
    if (key === undefined) throw new NoSigningKey('there is no active signing key')
    return key
  }
  const isPublished = (key: SigningKey, now: Date) => {
    if (key.compromisedAt !== undefined) return false
    const retiredAt = signingKeyRetiredAt(key, keys)
    return retiredAt === undefined || isWithin(now, retiredAt, ROTATION_OVERLAP_SECONDS + LONGEST_TOKEN_SECONDS)
  }
  await refresh()

  return {
    all: () => keys,
    active,
    refresh,
    published: () => keys.filter((key) => isPublished(key, clock())),
    privateJwks: () =>
      keys
        .filter((key) => isPublished(key, clock()))
        .map(({ kid, privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: ALGORITHM })),
    verificationKey: (kid) => {
      // Retired keys go on verifying: a subject token lives as long as its delegation, and what was signed says itself
      // when it ends. Only a compromised key verifies nothing any more.
      const key = keys.find((candidate) => candidate.kid === kid)
      return key === undefined || key.compromisedAt !== undefined ? undefined : { key: key.publicKey, alg: ALGORITHM }
    },
    signedHere: own.has,
    signAccessToken: async (claimsJson) => {
      const { privateKey, tokenHeader } = active()
      const token = signUnder(tokenHeader, claimsJson, privateKey, ALGORITHM)
      own.remember(token)
      return token
    },
    signSecurityEvent: async (claimsJson) => {
      const { kid, privateKey } = active()
      return signJws({ typ: SECURITY_EVENT_TYP, kid }, claimsJson, privateKey, ALGORITHM)
    },
    signClientAttestation: async (claimsJson) => {
      const { kid, privateKey } = active()
      return signClientAttestation(claimsJson, { kid, alg: ALGORITHM, key: privateKey })
    },
    signIntrospection: async (claimsJson) => {
      const { kid, privateKey } = active()
      return signJws({ typ: 'token-introspection+jwt', kid }, claimsJson, privateKey, ALGORITHM)
    },
  }
}

/** What an access token of ours is signed with at this moment. */
export function tokenSigner(keys: SigningKeys): TokenSigner {
  const { kid, privateKey } = keys.active()
  return { kid, alg: ALGORITHM, key: privateKey }
}

/** Makes the first key where there is none. Runs under the migration lock, so that two first starts make one. */
export async function ensureSigningKey(query: Query, encryption: KeyEncryption, now: Date): Promise<void> {
  const [row] = await query('SELECT 1 FROM signing_key WHERE compromised_at IS NULL LIMIT 1')
  if (row === undefined) await insertSigningKey(query, encryption, now, now)
}

/** Writes a new key, sealed. @returns its `kid`, an RFC 7638 thumbprint. */
export async function insertSigningKey(
  query: Query,
  encryption: KeyEncryption,
  createdAt: Date,
  activatesAt: Date,
): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  const { publicJwk } = keyMaterial(der)
  const kid = jwkThumbprint(publicJwk)
  await query(
    `INSERT INTO signing_key (kid, alg, public_jwk, sealed, created_at, activates_at) VALUES ($1, $2, $3, $4, $5, $6)`,
    [kid, ALGORITHM, JSON.stringify(publicJwk), encryption.seal(der, sealName(kid)), createdAt, activatesAt],
  )
  return kid
}

/** A key as the administrator sees it. */
export function describeSigningKey(key: SigningKeyFacts, keys: readonly SigningKeyFacts[], now: Date) {
  return {
    kid: key.kid,
    alg: ALGORITHM,
    status: signingKeyStatus(key, keys, now),
    retiredAt: signingKeyRetiredAt(key, keys),
  }
}

function keyMaterial(pkcs8: Buffer) {
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const publicJwk = parsePublicJwk(publicKey.export({ format: 'jwk' }))
  if (isRefusal(publicJwk)) throw new Error(`a stored signing key is unusable: ${publicJwk.detail}`)
  return { privateKey, publicKey, publicJwk }
}

const sealName = (kid: string) => `signing_key:${kid}`

const isWithin = (now: Date, since: Date, seconds: number) => now.getTime() <= since.getTime() + seconds * 1_000
