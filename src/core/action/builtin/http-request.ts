import type { ActionTypeDefinition } from '../action-type.ts'

/** One HTTP request (RFC 9110 §9). `body_s256` is over the raw bytes of the body; absent, the body is empty. */
export const httpRequest: ActionTypeDefinition = {
  type: 'http_request',
  title: 'HTTP request',
  schema: {
    type: 'object',
    properties: {
      method: { type: 'string', description: 'Upper case (RFC 9110 §9.1)', pattern: '^[A-Z][A-Z-]{0,31}$' },
      url: { type: 'string', format: 'canonical-url', maxLength: 4096 },
      content_type: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x20-\\x7e]+$' },
      body_s256: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
    },
    required: ['method', 'url'],
    additionalProperties: false,
  },
  template: 'Send {method} to {url}, content type {content_type}, SHA-256 of the body {body_s256}',
  risk: 'write',
}
