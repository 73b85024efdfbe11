import type { ActionTypeDefinition } from '../action-type.ts'

/**
 * One SQL statement with its parameters. `statement_s256` is over the statement's UTF-8 bytes. `tables` names every table
 * that it touches, so that a bound can say which; the enforcer derives them from the statement that it will run.
 */
export const sqlStatement: ActionTypeDefinition = {
  type: 'sql_statement',
  title: 'SQL statement',
  schema: {
    type: 'object',
    properties: {
      database: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f]+$' },
      operation: {
        type: 'string',
        description: 'As the enforcer names it; compared exactly, by convention lower case: select, insert, drop_table',
        pattern: '^[A-Za-z][A-Za-z_]{0,63}$',
      },
      statement: { type: 'string', minLength: 1, maxLength: 65536 },
      statement_s256: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
      parameters: {
        type: 'array',
        maxItems: 1000,
        items: { type: ['string', 'number', 'boolean', 'null'], maxLength: 65536 },
      },
      tables: {
        type: 'array',
        description: 'Schema-qualified, sorted by UTF-16 code unit',
        maxItems: 100,
        uniqueItems: true,
        'x-sorted': true,
        items: {
          type: 'string',
          maxLength: 255,
          pattern: '^[A-Za-z_][A-Za-z0-9_$]*(\\.[A-Za-z_][A-Za-z0-9_$]*){1,2}$',
        },
      },
    },
    required: ['database', 'tables', 'operation'],
    oneOf: [{ required: ['statement'] }, { required: ['statement_s256'] }],
    additionalProperties: false,
  },
  template:
    'Run {operation} on the tables {tables} of the database {database}: {statement}, SHA-256 of the statement {statement_s256}, with the parameters {parameters}',
  risk: 'destructive',
}
