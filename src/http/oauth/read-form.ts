import type { IncomingMessage } from 'node:http'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { parseForm } from '../../wire/form.ts'
import { readBody } from '../read-body.ts'

const KiB = 1024
/** An action of 64 kB whose every byte is percent-encoded, and room for the assertion and the subject token. */
const MAX_FORM_BYTES = 224 * KiB
const FORM = /^application\/x-www-form-urlencoded(?:\s*;\s*charset\s*=\s*"?utf-8"?)?$/i

/** Reads the parameters of an OAuth request: a form, whole, each parameter once (RFC 6749 §3.2). */
export async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string> | Refusal> {
  if (!FORM.test(request.headers['content-type'] ?? '')) {
    return refuse('request_not_form', 'the body must be application/x-www-form-urlencoded')
  }
  if (request.headers['content-encoding'] !== undefined) {
    return refuse('request_not_form', 'the body must not be compressed')
  }
  const body = await readBody(request, MAX_FORM_BYTES)
  return isRefusal(body) ? body : parseForm(body)
}
