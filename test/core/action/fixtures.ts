import { type ActionType, type ActionTypeDefinition, compileActionType } from '../../../src/core/action/action-type.ts'
import { BUILTIN_ACTION_TYPES } from '../../../src/core/action/builtin/builtin-action-types.ts'
import { type Action, parseAction } from '../../../src/core/action/parse-action.ts'
import { type Bound, parseBound } from '../../../src/core/delegation/bound.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { isRefusal } from '../../../src/core/refusal.ts'

export const RESOURCE = 'https://mail.example'

/** The value, or a failed test that says why it was refused. */
export function accepted<T>(value: T): Exclude<T, { readonly code: string; readonly detail: string }> {
  if (isRefusal(value)) throw new Error(`${value.code} ${value.member ?? ''}: ${value.detail}`)
  return value as Exclude<T, { readonly code: string; readonly detail: string }>
}

const compiled = new Map(
  BUILTIN_ACTION_TYPES.map((definition) => [definition.type, accepted(compileActionType(definition, 1))] as const),
)

export function builtin(type: string): ActionType {
  const found = compiled.get(type)
  if (found === undefined) throw new Error(`no built-in type ${type}`)
  return found
}

/** A type of test's own: one object of the given members, all optional. */
export function definitionOf(properties: JsonObject, rest: Partial<ActionTypeDefinition> = {}): ActionTypeDefinition {
  return {
    type: 'test_type',
    title: 'Test',
    schema: { type: 'object', properties, additionalProperties: false } as ActionTypeDefinition['schema'],
    template: 'Do it',
    risk: 'write',
    ...rest,
  }
}

export function typeOf(properties: JsonObject, rest: Partial<ActionTypeDefinition> = {}): ActionType {
  return accepted(compileActionType(definitionOf(properties, rest), 1))
}

export function actionOf(type: ActionType, members: JsonObject): Action {
  return accepted(parseAction({ type: type.type, ...members }, type, RESOURCE))
}

export function boundOf(type: ActionType, members: JsonObject): Bound {
  return accepted(parseBound({ type: type.type, ...members }, type, { resource: RESOURCE }))
}

/** One valid action of each built-in type. */
export const EXAMPLES: Readonly<Record<string, JsonObject>> = {
  email_send: { to: ['bob@example.com', 'eve@example.com'], cc: ['al@company.com'], subject: 'Minutes', body: 'Hello' },
  http_request: { method: 'POST', url: 'https://api.example/v1/things?x=1', content_type: 'application/json' },
  mcp_tool_call: { tool: 'files.read', arguments: { path: '/data/a.txt', options: { lines: [1, 2, 3] } } },
  payment_initiation: {
    instructedAmount: { currency: 'EUR', amount: '123.50' },
    creditorName: 'Merchant A',
    creditorAccount: { iban: 'DE02100100109307118603' },
    remittanceInformationUnstructured: 'Ref Number Merchant',
  },
  sql_statement: {
    database: 'crm',
    operation: 'select',
    statement: 'select * from public.orders where id = $1',
    parameters: [7],
    tables: ['public.orders'],
  },
}
