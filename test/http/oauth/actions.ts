import { createHash } from 'node:crypto'

const s256 = (text: string) => createHash('sha256').update(text).digest('base64url')

/** A bound, an action that it allows, and one that it does not, with the first member that does not fit. */
export interface Sample {
  readonly bound: object
  readonly action: Readonly<Record<string, unknown>>
  readonly outside: Readonly<Record<string, unknown>>
  readonly misfit: string
}

/** One of each built-in type. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  email_send: {
    bound: {
      type: 'email_send',
      to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
      subject: { $any: true },
      body: { $any: true },
    },
    action: { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' },
    outside: { type: 'email_send', to: ['bob@example.com', 'eve@evil.example'], subject: 'Minutes', body: 'Hello' },
    misfit: 'to[1]',
  },
  http_request: {
    bound: {
      type: 'http_request',
      method: { $in: ['GET', 'PUT'] },
      url: { $url_within: 'https://api.example/v1/' },
      content_type: { $optional: 'application/json' },
      body_s256: { $optional: { $any: true } },
    },
    action: {
      type: 'http_request',
      method: 'PUT',
      url: 'https://api.example/v1/notes/7',
      content_type: 'application/json',
      body_s256: s256('{"a":1}'),
    },
    outside: { type: 'http_request', method: 'DELETE', url: 'https://api.example/v1/notes/7' },
    misfit: 'method',
  },
  mcp_tool_call: {
    bound: { type: 'mcp_tool_call', tool: 'search', arguments: { query: { $any: true }, limit: { $max: 10 } } },
    action: { type: 'mcp_tool_call', tool: 'search', arguments: { query: 'writ', limit: 10 } },
    outside: { type: 'mcp_tool_call', tool: 'search', arguments: { query: 'writ', limit: 11 } },
    misfit: 'arguments.limit',
  },
  payment_initiation: {
    bound: {
      type: 'payment_initiation',
      instructedAmount: { currency: 'EUR', amount: { $max: '100.00' } },
      creditorName: { $any: true },
      creditorAccount: { iban: { $in: ['DE02100100109307118603'] } },
      remittanceInformationUnstructured: { $any: true },
    },
    action: {
      type: 'payment_initiation',
      instructedAmount: { currency: 'EUR', amount: '100' },
      creditorName: 'Merchant A',
      creditorAccount: { iban: 'DE02100100109307118603' },
      remittanceInformationUnstructured: 'Ref 1',
    },
    outside: {
      type: 'payment_initiation',
      instructedAmount: { currency: 'EUR', amount: '100.01' },
      creditorName: 'Merchant A',
      creditorAccount: { iban: 'DE02100100109307118603' },
    },
    misfit: 'instructedAmount.amount',
  },
  sql_statement: {
    bound: {
      type: 'sql_statement',
      database: 'crm',
      operation: 'select',
      statement: { $prefix: 'SELECT ' },
      tables: { $each: { $in: ['public.notes'] }, $max_items: 1 },
      parameters: { $any: true },
    },
    action: {
      type: 'sql_statement',
      database: 'crm',
      operation: 'select',
      statement: 'SELECT id FROM public.notes WHERE id = $1',
      parameters: [7],
      tables: ['public.notes'],
    },
    outside: {
      type: 'sql_statement',
      database: 'crm',
      operation: 'drop_table',
      statement: 'DROP TABLE public.notes',
      tables: ['public.notes'],
    },
    misfit: 'operation',
  },
}

/** The sample of a type that is there. */
export function sample(type: string): Sample {
  const found = SAMPLES[type]
  if (found === undefined) throw new Error(`no sample of ${type}`)
  return found
}
