import type { ActionTypeDefinition } from '../action-type.ts'

const ADDRESSES = { type: 'array', maxItems: 1000, items: { type: 'string', format: 'email', maxLength: 254 } } as const

/** One email. Addresses are bare `local@domain`; the body may be a digest of its UTF-8 bytes. */
export const emailSend: ActionTypeDefinition = {
  type: 'email_send',
  title: 'Email',
  schema: {
    type: 'object',
    properties: {
      to: { ...ADDRESSES, minItems: 1 },
      cc: { ...ADDRESSES },
      subject: {
        type: 'string',
        description: 'No control characters: a line break would begin another header (RFC 5322 §2.2)',
        maxLength: 998,
        pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]*$',
      },
      body: { type: 'string', maxLength: 65536 },
    },
    required: ['to', 'subject', 'body'],
    additionalProperties: false,
  },
  digestible: { body: 'utf8' },
  template: 'Send an email to {to}, copy to {cc}, with the subject {subject} and the text {body}',
  risk: 'write',
}
