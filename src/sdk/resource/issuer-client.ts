import type { JsonObject } from '../../core/json.ts'
import { clientAuthentication } from '../agent/client-assertion.ts'
import { type CheckedSigner, checkSigner, type Signer } from '../agent/signer.ts'
import { createTransport, send } from '../agent/transport.ts'
import { IssuerUnavailableError } from './issuer-keys.ts'

/** How this resource server proves to the issuer which resource it is (RFC 7523). */
export interface IssuerClientOptions {
  /** The `id` of this resource at the issuer, which is its `client_id`. */
  readonly clientId: string
  /** Signs; its public half is registered for the resource, at `/admin/resources/{id}/keys`. See `importKey`. */
  readonly key: Signer
  /** For one answer of the issuer, all of it. Default: 5. */
  readonly timeoutSeconds?: number
}

export interface IssuerAnswer {
  readonly status: number
  readonly body: JsonObject
}

/** Asks the issuer, and nobody else. */
export interface IssuerClient {
  readonly clientId: string
  /**
   * Posts a form to a path of the issuer, with a client assertion of its own. No redirects, limited in time and size.
   *
   * @throws IssuerUnavailableError when there is no answer of one of `statuses` with a JSON object: nothing may be concluded.
   */
  readonly post: (
    path: string,
    form: Readonly<Record<string, string>>,
    statuses: readonly number[],
  ) => Promise<IssuerAnswer>
}

export function createIssuerClient(
  issuer: string,
  { clientId, key, timeoutSeconds = 5 }: IssuerClientOptions,
  now: () => Date,
): IssuerClient {
  if (typeof clientId !== 'string' || clientId === '') throw new TypeError('clientId must be the id of this resource')
  const signer: CheckedSigner = checkSigner(key)
  const transport = createTransport({ timeoutSeconds })
  return {
    clientId,
    async post(path, form, statuses) {
      const credentials = await clientAuthentication(signer, { id: clientId, issuer, now: now() })
      const answer = await send(transport, issuer + path, {
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ ...form, ...credentials }).toString(),
      }).catch((cause: unknown) => {
        throw new IssuerUnavailableError(`the issuer did not answer at ${path}`, { cause })
      })
      const { status, body } = answer
      if (body !== undefined && statuses.includes(status)) return { status, body }
      // What the error is called helps whoever set this up wrongly; it goes to the log and to no caller.
      const error = typeof body?.error === 'string' ? ` ${JSON.stringify(body.error.slice(0, 64))}` : ''
      throw new IssuerUnavailableError(`the issuer answered ${status}${error} at ${path}`)
    },
  }
}
