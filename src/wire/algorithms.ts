import type { KeyObject } from 'node:crypto'

/** Signature algorithms of agents, resource servers and the server: `EdDSA` means Ed25519 here and nothing else. */
export type SignatureAlgorithm = 'ES256' | 'Ed25519' | 'EdDSA'

/** As they are advertised, in metadata and in challenges (RFC 9449 §5.1). */
export const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = ['ES256', 'Ed25519', 'EdDSA']

/** What node:crypto needs to know of one algorithm. */
export interface AlgorithmFacts {
  readonly keyType: 'ec' | 'ed25519'
  /** The digest node:crypto is told; Ed25519 brings its own. */
  readonly digest: 'sha256' | null
}

const ED25519: AlgorithmFacts = { keyType: 'ed25519', digest: null }

// A Map and not an object: a header that says `"alg": "constructor"` must find nothing.
const FACTS: ReadonlyMap<string, AlgorithmFacts> = new Map<SignatureAlgorithm, AlgorithmFacts>([
  ['ES256', { keyType: 'ec', digest: 'sha256' }],
  ['Ed25519', ED25519],
  ['EdDSA', ED25519],
])

/** Facts of an algorithm by its name in a header; undefined for every other name, `none` among them (RFC 8725 §3.1). */
export function algorithmFacts(alg: unknown): AlgorithmFacts | undefined {
  return typeof alg === 'string' ? FACTS.get(alg) : undefined
}

/** Whether the header value names one of our algorithms. */
export function isSignatureAlgorithm(alg: unknown): alg is SignatureAlgorithm {
  return algorithmFacts(alg) !== undefined
}

/** Whether a key is of the type and the curve that the algorithm signs with. */
export function keyFits(key: KeyObject, facts: AlgorithmFacts): boolean {
  if (key.asymmetricKeyType !== facts.keyType) return false
  return facts.keyType === 'ed25519' || key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
}
