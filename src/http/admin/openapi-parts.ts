import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
import { DEFAULT_LIMIT, MAX_LIMIT } from '../list-query.ts'

/** What the description of the API says that is true of many routes. */

/** A problem document (RFC 9457 §3) as the admin API answers it. */
export const Problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong and how to mend it.'),
    errors: z
      .array(z.object({ member: z.string(), detail: z.string() }))
      .describe('Each member that is wrong.')
      .optional(),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' })

/** By the first segment of a path. */
export const TAGS: Readonly<Record<string, string>> = {
  agents: 'Agents, their keys, and one-time codes by which they bind a key themselves.',
  principals: 'On whose behalf agents act, and one-time links by which they sign in.',
  resources: 'Where agents act, and the keys by which resource servers authenticate.',
  'action-types': 'What can be done, and how each action is written.',
  delegations: 'Who lets which agent do what, within which bounds, until when.',
  decisions: 'Dry runs.',
  approvals: 'Exact actions that wait for a yes, and what was answered.',
  clients: 'Administrators.',
  records: 'What was issued, refused and done.',
  tokens: 'Tokens that were issued.',
  'signing-keys': 'The keys of this server.',
  'openapi.json': 'This document.',
}

/** When each problem is answered. */
export const PROBLEMS: Readonly<Record<string, string>> = {
  400: 'The request is not written as it must be.',
  401: 'The token or its proof is missing, not good, or not of this request.',
  403: 'The token does not cover this call, or an administrator may not do this.',
  404: 'There is nothing of this name.',
  409: 'It exists, its state forbids this, or a request with this idempotency key is in progress.',
  412: 'It is no longer at the version that If-Match names: read it again.',
  413: 'The body is larger than 64 KiB.',
  415: 'The body is not of a type that is read here, or compressed.',
  422: 'The request is understood and something in it cannot be: each member is named.',
  428: 'If-Match is missing.',
  429: 'Too many requests that failed.',
  500: 'Something broke.',
  503: 'A store is not available, or full.',
}

/** Anything else names nothing (404). */
const SEGMENT = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' }
const segment = (name: string, description: string): JsonObject => ({
  ...{ name, in: 'path', required: true, description, schema: SEGMENT },
})

export const PARAMETERS: Readonly<Record<string, JsonObject>> = {
  path_id: segment('id', 'The id, or the name of an action type, percent-encoded.'),
  path_kid: segment('kid', 'The RFC 7638 thumbprint of a key.'),
  path_enrolment: segment('enrolment', 'The id of an enrolment.'),
  path_link: segment('link', 'The id of a sign-in link.'),
  path_passkey: segment('passkey', 'The id of a passkey.'),
  path_rule: segment('rule', 'The id of a downstream rule.'),
  path_jti: segment('jti', 'The "jti" of a token.'),
  limit: {
    ...{ name: 'limit', in: 'query', description: 'How many items a page holds at most.' },
    schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
  },
  cursor: {
    ...{ name: 'cursor', in: 'query', schema: { type: 'string', maxLength: 1_024 } },
    description: 'The "next_cursor" of the page before; good for this list with the same filters only.',
  },
  if_match: {
    ...{ name: 'If-Match', in: 'header', required: true, schema: { type: 'string', maxLength: 1_024 }, example: '"1"' },
    description: 'The "ETag" of what was read, or * (RFC 9110 section 13.1.1).',
  },
  idempotency_key: {
    ...{ name: 'Idempotency-Key', in: 'header' },
    description:
      'For 24 hours the same request with the same key changes nothing further and is answered the same; answers that held a ' +
      'secret are not repeated (409).',
    schema: { type: 'string', pattern: '^[\\x20-\\x7e]{1,255}$' },
  },
}

const header = (description: string, schema: JsonObject = { type: 'string' }): JsonObject => ({ description, schema })

export const HEADERS: Readonly<Record<string, JsonObject>> = {
  'X-Request-Id': header('What this request is called in logs and records.'),
  'DPoP-Nonce': header('Where the server asks for nonces: the one for the next proof (RFC 9449 section 8.2).'),
  ETag: header('The version of what is shown; absent from a repeated answer.'),
  Location: header('Where what was made is found.', { type: 'string', format: 'uri-reference' }),
  'Idempotent-Replayed': header('"true": this is the answer to an earlier request.', { type: 'string', const: 'true' }),
  'WWW-Authenticate': header('What to authenticate with (RFC 9449 section 7.1).'),
  'Retry-After': header('Unit: seconds.'),
}

export const SECURITY_SCHEMES: JsonObject = {
  token: {
    ...{ type: 'http', scheme: 'DPoP' },
    description:
      'A DPoP-bound access token (RFC 9449) of a client of this API, from the token endpoint by "client_credentials". Scopes: ' +
      '"admin:read" reads; "admin" reads and changes; "admin:approve" sees approvals and answers them.',
  },
  proof: {
    ...{ type: 'apiKey', in: 'header', name: 'DPoP' },
    description: 'A proof for this request, new each time, with the hash of the token (RFC 9449 section 4.2).',
  },
}
