import type { JsonObject } from '../../core/json.ts'
import { clientAuthentication } from './client-assertion.ts'
import { WritFault } from './fault.ts'
import type { IssuerMetadata } from './issuer.ts'
import type { WritRefusal } from './refusal.ts'
import { request, type Session } from './session.ts'

/** One agent at one issuer. */
export interface IssuerDoor {
  readonly session: Session
  readonly issuer: string
  readonly id: string
  readonly metadata: () => Promise<IssuerMetadata>
}

/** A request to the token endpoint, authenticated by an assertion and a proof that are made anew for every attempt. */
export async function tokenRequest(
  { session, issuer, id, metadata }: IssuerDoor,
  parameters: Readonly<Record<string, string>>,
  how: { readonly signal?: AbortSignal | undefined; readonly isRepeatable?: boolean } = {},
): Promise<JsonObject | WritRefusal> {
  const { tokenEndpoint, dpopSigningAlgorithms } = await metadata()
  const { alg } = session.signer
  if (dpopSigningAlgorithms.length > 0 && !dpopSigningAlgorithms.includes(alg)) {
    throw new WritFault('unexpected_answer', `the server does not take ${alg}, the algorithm of this key`)
  }
  return request(session, {
    door: 'token',
    method: 'POST',
    url: tokenEndpoint,
    ...how,
    content: async () => {
      const authentication = await clientAuthentication(session.signer, { id, issuer, now: session.clock.now() })
      return {
        contentType: 'application/x-www-form-urlencoded',
        body: new URLSearchParams({ ...parameters, ...authentication }).toString(),
      }
    },
  })
}
