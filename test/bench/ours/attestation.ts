import { oauthRequest, send } from '../../support/clients.ts'
import type { World } from '../../support/world.ts'
import { CannotRun } from '../harness/bench.ts'
import type { Minter } from './minting.ts'

/** How a client of the server can say who it is with one proof instead of two. */
const METHOD = 'attest_jwt_client_auth_dpop'

export async function offersAttestation(issuer: string): Promise<boolean> {
  const { body } = await send(`${issuer}/.well-known/oauth-authorization-server`)
  const methods: unknown = body?.token_endpoint_auth_methods_supported
  return Array.isArray(methods) && methods.includes(METHOD)
}

/** The same minter with a client attestation. @throws CannotRun when the server has none to give. */
export async function attested(world: World, minter: Minter): Promise<Minter> {
  if (!(await offersAttestation(world.issuer))) throw new CannotRun(`the server does not offer ${METHOD}`)
  const { url, ...request } = oauthRequest(world.issuer, '/attestation', minter.agent, {})
  const { status, body, text } = await send(url, request)
  if (status !== 200 && status !== 201) throw new Error(`POST /attestation: ${status} ${text}`)
  return { ...minter, attestation: body.client_attestation }
}
