import { isJsonArray, isJsonObject } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import type { VerificationKey } from '../../wire/access-token.ts'
import { isSignatureAlgorithm } from '../../wire/algorithms.ts'
import { parsePublicJwk, publicKeyObject } from '../../wire/jwk.ts'
import { fetchJson } from './fetch-json.ts'
import { isTransportSafe } from './transport.ts'

/** The issuer's keys cannot be had: a fault and no refusal. `status` is what Koa and others answer. */
export class IssuerUnavailableError extends Error {
  override readonly name = 'IssuerUnavailableError'
  readonly status = 503
}

/** The issuer's verification keys by `kid`, kept fresh. */
export interface IssuerKeys {
  /**
   * The key, or undefined when the issuer has none of that name.
   *
   * @throws IssuerUnavailableError when no keys could be fetched, or only ones that are too old to be believed.
   */
  readonly find: (kid: string) => VerificationKey | undefined | Promise<VerificationKey | undefined>
}

/** How old keys may be, and how often the issuer is asked. Unit: seconds. */
export interface IssuerKeysOptions {
  /** After this, keys are fetched again, behind the requests. Default: 300. */
  readonly maxAgeSeconds?: number
  /** How long keys are believed while the issuer does not answer. Default: 3600. */
  readonly maxStaleSeconds?: number
  /** How often at most an unknown `kid` makes us ask: tokens with invented ones must not be a way to flood the issuer. Default: 30. */
  readonly cooldownSeconds?: number
}

const KiB = 1024
const MAX_DOCUMENT_BYTES = 256 * KiB
const MAX_KEYS = 100
const MAX_RETRY_SECONDS = 5

/** Makes the source of the issuer's keys: its metadata (RFC 8414 §3), then the `jwks_uri` that it names. */
export function createIssuerKeys(
  issuer: string,
  now: () => Date,
  { maxAgeSeconds = 300, maxStaleSeconds = 3_600, cooldownSeconds = 30 }: IssuerKeysOptions = {},
): IssuerKeys {
  let keys: ReadonlyMap<string, VerificationKey> = new Map()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let inFlight: Promise<void> | undefined
  const seconds = () => now().getTime() / 1000
  const retrySeconds = Math.min(MAX_RETRY_SECONDS, cooldownSeconds)

  /** Fetches once for all who ask at the same time. A failure leaves what we have; its age decides what it is worth. */
  function refresh(): Promise<void> {
    attemptedAt = seconds()
    inFlight ??= fetchKeys(issuer)
      .then((fetched) => {
        // Replaced as a whole, so that a key the issuer took back is gone.
        if (fetched !== undefined) [keys, fetchedAt] = [fetched, seconds()]
      })
      .finally(() => {
        inFlight = undefined
      })
    return inFlight
  }

  function believed(kid: string): VerificationKey | undefined {
    if (seconds() - fetchedAt > maxStaleSeconds)
      throw new IssuerUnavailableError('the keys of the issuer cannot be had')
    return keys.get(kid)
  }

  return {
    find(kid) {
      const at = seconds()
      const [age, idle] = [at - fetchedAt, at - attemptedAt]
      const known = keys.get(kid)
      if (known !== undefined && age <= maxStaleSeconds) {
        if (age > maxAgeSeconds && idle >= retrySeconds) void refresh()
        return known
      }
      const isDue = age > maxStaleSeconds ? idle >= retrySeconds : idle >= cooldownSeconds
      const fetching = isDue ? refresh() : inFlight
      return fetching === undefined ? believed(kid) : fetching.then(() => believed(kid))
    },
  }
}

/** The keys the issuer publishes now, or undefined when they cannot be had, for whatever reason. Never throws. */
async function fetchKeys(issuer: string): Promise<ReadonlyMap<string, VerificationKey> | undefined> {
  const metadata = await fetchJson(`${issuer}/.well-known/oauth-authorization-server`, MAX_DOCUMENT_BYTES)
  // A document that another issuer could have written is none (RFC 8414 §3.3).
  if (metadata === undefined || metadata.issuer !== issuer) return undefined
  const { jwks_uri: jwksUri } = metadata
  if (typeof jwksUri !== 'string' || !isTransportSafe(jwksUri)) return undefined
  const jwks = await fetchJson(jwksUri, MAX_DOCUMENT_BYTES)
  if (jwks === undefined || !isJsonArray(jwks.keys)) return undefined
  const keys = new Map<string, VerificationKey>()
  for (const entry of jwks.keys.slice(0, MAX_KEYS)) {
    // Keys of kinds that we do not use may stand in a set (RFC 7517 §5).
    const jwk = parsePublicJwk(entry)
    if (isRefusal(jwk) || !isJsonObject(entry) || typeof entry.kid !== 'string' || keys.has(entry.kid)) continue
    const byKind = jwk.kty === 'EC' ? 'ES256' : 'Ed25519'
    keys.set(entry.kid, { alg: isSignatureAlgorithm(entry.alg) ? entry.alg : byKind, key: publicKeyObject(jwk) })
  }
  return keys.size === 0 ? undefined : keys
}
