import { isJsonArray, type JsonValue, parseJson } from '../json.ts'
import { isRefusal, type Refusal, refuse } from '../refusal.ts'

/** Reads `authorization_details` of an exchange (RFC 9396 §2). One token, one action: an array of exactly one element. */
export function soleElement(authorizationDetails: string): JsonValue | Refusal<'json_malformed' | 'action_malformed'> {
  const parsed = parseJson(authorizationDetails)
  if (isRefusal(parsed)) return refuse('json_malformed', `"authorization_details": ${parsed.detail}`)
  const [element, ...more] = isJsonArray(parsed) ? parsed : []
  return element === undefined || more.length > 0
    ? refuse('action_malformed', '"authorization_details" must be an array of exactly one element')
    : element
}
