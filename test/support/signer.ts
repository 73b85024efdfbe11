import { sign } from 'node:crypto'
import type { Signer } from '../../src/sdk/agent/signer.ts'
import type { TestKey } from '../wire/signing.ts'

/** A key of a test as the SDK takes one that lives elsewhere. */
export const signerOf = ({ alg, jwk, privateKey }: TestKey): Signer => ({
  alg: alg === 'ES256' ? 'ES256' : 'Ed25519',
  publicJwk: jwk,
  sign: async (data) => sign(alg === 'ES256' ? 'sha256' : null, data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
})
