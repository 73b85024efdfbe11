import { proof, type TestKey } from '../wire/signing.ts'
import {
  ACCESS_TOKEN_TYPE,
  type Answer,
  type Deviation,
  type Exchange,
  oauthRequest,
  send,
  type TestClient,
  TOKEN_EXCHANGE,
} from './clients.ts'

/** Asks for an attestation of the client's own key, right but for its deviation. */
export const attest = (issuer: string, client: TestClient, deviation: Deviation = {}): Promise<Answer> => {
  const { url, ...request } = oauthRequest(issuer, '/attestation', client, {}, deviation)
  return send(url, request)
}

/** Asks for an attestation of a new key under the client, which the client's own key vouches for. */
export const attestInstance = (issuer: string, client: TestClient, key: TestKey, deviation: Deviation = {}) =>
  attest(issuer, client, {
    proofKey: key,
    ...deviation,
    assertionClaims: { cnf: { jkt: key.jkt }, ...deviation.assertionClaims },
  })

/** Whoever holds a key and an attestation for it. */
export interface Attested {
  readonly id: string
  readonly key: TestKey
  readonly attestation: string
}

/** What must succeed: an attestation of the client's own key, or of an instance. */
export async function attested(issuer: string, client: TestClient, instance?: TestKey): Promise<Attested> {
  const answer = await (instance === undefined ? attest(issuer, client) : attestInstance(issuer, client, instance))
  if (answer.status !== 200) throw new Error(`no attestation: ${answer.status} ${answer.text}`)
  return { id: client.id, key: instance ?? client.key, attestation: answer.body.client_attestation }
}

/**
 * A request that authenticates by an attestation, right but for its deviation.
 *
 * @param port of another process of the same issuer.
 */
export function attestedRequest(
  issuer: string,
  path: string,
  { id, key, attestation }: Attested,
  parameters: Readonly<Record<string, string | undefined>>,
  { form, headers = [], ...deviation }: Deviation = {},
  port?: number,
): Promise<Answer> {
  const { url, ...request } = oauthRequest(issuer, path, { id, key }, parameters, {
    ...deviation,
    form: { client_assertion: undefined, client_assertion_type: undefined, ...form },
    headers: attestation === '' ? headers : [['OAuth-Client-Attestation', attestation], ...headers],
  })
  const place = new URL(url)
  if (port !== undefined) place.port = String(port)
  return send(place.href, request)
}

/** One exchange by an attestation. */
export const exchangeAttested = (
  issuer: string,
  by: Attested,
  wish: Exchange,
  deviation: Deviation = {},
  port?: number,
) =>
  attestedRequest(
    issuer,
    '/token',
    by,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: wish.subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource: wish.resource,
      authorization_details: JSON.stringify([wish.action]),
    },
    deviation,
    port,
  )

/** An agent token by an attestation. */
export const agentTokenAttested = (issuer: string, by: Attested, deviation: Deviation = {}) =>
  attestedRequest(issuer, '/token', by, { grant_type: 'client_credentials' }, deviation)

/** `GET` at a door of the server itself, with an agent token. */
export function getWithToken(url: string, token: string, key: TestKey): Promise<Answer> {
  return send(url, {
    headers: [
      ['Authorization', `DPoP ${token}`],
      ['DPoP', proof(key, { method: 'GET', htu: url, now: new Date(), accessToken: token })],
    ],
  })
}
