import type { ActionTypeDefinition } from '../action-type.ts'

/** One payment: the example of RFC 9396 §2. The amount is a decimal string, never a double and never negative. */
export const paymentInitiation: ActionTypeDefinition = {
  type: 'payment_initiation',
  title: 'Payment',
  schema: {
    type: 'object',
    properties: {
      instructedAmount: {
        type: 'object',
        properties: {
          currency: { type: 'string', description: 'ISO 4217', pattern: '^[A-Z]{3}$' },
          amount: { type: 'string', maxLength: 40, pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$' },
        },
        required: ['currency', 'amount'],
        additionalProperties: false,
      },
      creditorName: { type: 'string', minLength: 1, maxLength: 140, pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]+$' },
      creditorAccount: {
        type: 'object',
        properties: {
          iban: {
            type: 'string',
            description: 'ISO 13616, without spaces',
            pattern: '^[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}$',
          },
          bic: { type: 'string', description: 'ISO 9362', pattern: '^[A-Z0-9]{8}([A-Z0-9]{3})?$' },
        },
        required: ['iban'],
        additionalProperties: false,
      },
      remittanceInformationUnstructured: {
        type: 'string',
        maxLength: 140,
        pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]*$',
      },
    },
    required: ['instructedAmount', 'creditorName', 'creditorAccount'],
    additionalProperties: false,
  },
  template:
    'Pay {instructedAmount.amount} {instructedAmount.currency} to {creditorName}, IBAN {creditorAccount.iban}, reference {remittanceInformationUnstructured}',
  risk: 'write',
}
