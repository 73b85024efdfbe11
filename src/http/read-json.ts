import type { IncomingMessage } from 'node:http'
import { isJsonObject, type JsonObject, parseJson } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { headerValues } from '../wire/header-values.ts'
import { readBody } from './read-body.ts'

const KiB = 1024
/** What the scanner takes at every door. */
const MAX_BODY_BYTES = 64 * KiB

/** A JSON object as it was sent. */
export interface JsonBody {
  readonly object: JsonObject
  readonly bytes: Uint8Array
}

/** `application/json`, and for PATCH also the media type of merge patches (RFC 7396 §4); UTF-8 (RFC 8259 §8.1). */
const MEDIA_TYPES = {
  json: /^application\/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i,
  patch: /^application\/(?:json|merge-patch\+json)(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i,
} as const

/** Reads a body: one JSON object, by the strict scanner. No body at all is an empty object. */
export async function readJson(request: IncomingMessage, kind: keyof typeof MEDIA_TYPES): Promise<JsonBody | Refusal> {
  const bytes = await readBody(request, MAX_BODY_BYTES)
  if (isRefusal(bytes)) return bytes
  // Whoever sends nothing need not say of what type it is.
  if (bytes.length === 0) return { object: {}, bytes }
  const types = headerValues(request, 'content-type')
  if (types.length !== 1 || !MEDIA_TYPES[kind].test(types[0] ?? '')) {
    return refuse('media_type_unsupported', 'the body must be application/json')
  }
  if (request.headers['content-encoding'] !== undefined) {
    return refuse('media_type_unsupported', 'the body must not be compressed')
  }
  const value = parseJson(bytes, { maxBytes: MAX_BODY_BYTES })
  if (isRefusal(value)) return value
  return isJsonObject(value) ? { object: value, bytes } : refuse('member_invalid', 'the body must be a JSON object')
}
