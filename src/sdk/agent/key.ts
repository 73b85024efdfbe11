import { utf8 } from './base64url.ts'
import {
  algorithmOf,
  isCoordinate,
  type PublicJwk,
  publicMembers,
  type SignatureAlgorithm,
  thumbprint,
} from './public-jwk.ts'
import type { Signer } from './signer.ts'

/** A key pair of an agent in this process. The private part is held by Web Crypto and is no member of this object. */
export interface AgentKey extends Signer {
  /** The RFC 7638 thumbprint. */
  readonly kid: string
}

/** A private key as a JWK, for storage. Whoever has it is the agent. */
export type PrivateJwk = PublicJwk & { readonly d: string }

export interface CreateKeyOptions {
  /** Default: ES256. */
  readonly alg?: SignatureAlgorithm
  /** Whether `exportKey` and `storeKey` may have the private part. Default: false, the key ends with the process. */
  readonly extractable?: boolean
}

/** Makes a key pair with Web Crypto. */
export async function createKey({ alg = 'ES256', extractable = false }: CreateKeyOptions = {}): Promise<AgentKey> {
  const { privateKey, publicKey } = (await crypto.subtle.generateKey(parametersOf(alg).key, extractable, [
    'sign',
    'verify',
  ])) as { privateKey: CryptoKey; publicKey: CryptoKey }
  const publicJwk = publicMembers(await crypto.subtle.exportKey('jwk', publicKey))
  if (publicJwk === undefined) throw new TypeError('alg must be ES256 or Ed25519')
  return agentKey(privateKey, publicJwk)
}

/**
 * Takes a private JWK, P-256 or Ed25519; the key in memory is not extractable again.
 *
 * @throws TypeError when it is no such key, or its public and private parts do not belong together. Says nothing of its content.
 */
export async function importKey(jwk: unknown): Promise<AgentKey> {
  const publicJwk = publicMembers(jwk)
  const d = (jwk as { readonly d?: unknown } | null)?.d
  if (publicJwk === undefined || !isCoordinate(d)) throw new TypeError('not a private P-256 or Ed25519 JWK')
  const { key, signature } = parametersOf(algorithmOf(publicJwk))
  try {
    const privateKey = await crypto.subtle.importKey('jwk', { ...publicJwk, d }, key, false, ['sign'])
    const publicKey = await crypto.subtle.importKey('jwk', { ...publicJwk }, key, false, ['verify'])
    const probe = utf8('writ')
    const signed = await crypto.subtle.sign(signature, privateKey, probe)
    // Not every runtime compares the halves, and proofs by one key that name another are refused one by one.
    if (await crypto.subtle.verify(signature, publicKey, signed, probe)) return await agentKey(privateKey, publicJwk)
  } catch {
    // What a runtime says of a malformed key may quote it.
  }
  throw new TypeError('the parts of the private JWK do not belong together')
}

/**
 * The private JWK of a key that was made with `extractable`, to store it where nobody else reads.
 *
 * @throws TypeError for every other signer.
 */
export async function exportKey(key: AgentKey): Promise<PrivateJwk> {
  const privateKey = PRIVATE_KEYS.get(key)
  if (privateKey?.extractable !== true) {
    throw new TypeError('this key cannot be stored: make it with createKey({ extractable: true })')
  }
  const { d } = await crypto.subtle.exportKey('jwk', privateKey)
  if (!isCoordinate(d)) throw new TypeError('the private part has an unexpected form')
  return { ...key.publicJwk, d }
}

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Beside the keys and not in them: no way of printing a key shows its private part. */
const PRIVATE_KEYS = new WeakMap<AgentKey, CryptoKey>()

async function agentKey(privateKey: CryptoKey, publicJwk: PublicJwk): Promise<AgentKey> {
  const alg = algorithmOf(publicJwk)
  const { signature } = parametersOf(alg)
  const key: AgentKey = Object.freeze({
    alg,
    publicJwk: Object.freeze(publicJwk),
    kid: await thumbprint(publicJwk),
    sign: async (data: Uint8Array) =>
      new Uint8Array(await crypto.subtle.sign(signature, privateKey, new Uint8Array(data))),
  })
  PRIVATE_KEYS.set(key, privateKey)
  return key
}

function parametersOf(alg: SignatureAlgorithm) {
  return alg === 'ES256'
    ? { key: { name: 'ECDSA', namedCurve: 'P-256' }, signature: { name: 'ECDSA', hash: 'SHA-256' } }
    : { key: { name: 'Ed25519' }, signature: { name: 'Ed25519' } }
}
