import { parseCanonicalUrl } from '../../core/action/canonical-url.ts'
import { sha256Base64url } from '../../core/hash.ts'
import type { JsonObject } from '../../core/json.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import { externalUrl, headerNames, type ResourceRequest } from './resource-request.ts'

/** Headers by which a framework or a proxy takes another method or target than the request line says. */
const OVERRIDES = /^x-(?:http-method.*|method-override|original-url|rewrite-url)$/

/**
 * Builds the `http_request` action from the request itself: method, URL under the external origin, content type, and the
 * SHA-256 of the body's raw bytes, before anything decodes them.
 *
 * A body must be given, empty or not: whoever has not read it cannot say what will be executed. A request that a server
 * behind could read as another one is refused.
 */
export function httpRequestAction(
  origin: string,
  request: ResourceRequest,
  body: Uint8Array,
): readonly JsonObject[] | Refusal<'action_mismatch'> {
  const override = headerNames(request).find((name) => OVERRIDES.test(name))
  if (override !== undefined) return refuse('action_mismatch', 'a header overrides the method or the URL', override)
  const url = externalUrl(origin, request)
  if (url === undefined || parseCanonicalUrl(url) === undefined) {
    return refuse('action_mismatch', 'the URL of the request is not canonical', 'url')
  }
  const [contentType, ...more] = headerValues(request, 'content-type')
  if (more.length > 0) return refuse('action_mismatch', 'more than one "Content-Type" header', 'content_type')
  const plain: JsonObject = {
    type: 'http_request',
    method: request.method ?? '',
    url,
    ...(contentType !== undefined && { content_type: contentType }),
  }
  const digested = { ...plain, body_s256: sha256Base64url(body) }
  // Absent "body_s256" is an empty body, and nothing else is.
  return body.length === 0 ? [plain, digested] : [digested]
}
