import {
  allowInsecureRequests,
  type Configuration,
  discovery,
  type ModifyAssertionOptions,
  PrivateKeyJwt,
} from 'openid-client'
import type { TestClient } from '../../support/clients.ts'
import { keyPair } from './key-pair.ts'

/**
 * openid-client for one client of the server: what discovery says, and the client's key for its assertions.
 *
 * Nothing had to be set but plain http, for the loopback issuer: the library's own assertions have the issuer as their `aud`.
 */
export async function openidConfiguration(
  issuer: string,
  client: TestClient,
  options: ModifyAssertionOptions = {},
): Promise<Configuration> {
  const { privateKey } = await keyPair(client.key)
  const authentication = PrivateKeyJwt({ key: privateKey, kid: client.key.jkt }, options)
  return discovery(new URL(issuer), client.id, undefined, authentication, { execute: [allowInsecureRequests] })
}
