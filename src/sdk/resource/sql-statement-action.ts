import { sha256Base64url } from '../../core/hash.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'

/** A statement about to be run, and what the enforcer found out by parsing it; none of it as the caller says. */
export interface SqlStatement {
  readonly database: string
  readonly statement: string
  readonly parameters?: readonly JsonValue[] | undefined
  /** Schema-qualified names of every table the statement touches, in any order. */
  readonly tables: readonly string[]
  readonly operation: string
}

/** Builds the `sql_statement` action: with the statement, and with the SHA-256 of its UTF-8 bytes. */
export function sqlStatementAction(call: SqlStatement): readonly JsonObject[] {
  const { database, statement, parameters = [], operation } = call
  // By UTF-16 code unit, as the action type has them; each once.
  const tables = [...new Set(call.tables)].sort()
  const common = { type: 'sql_statement', database, tables, operation }
  const statements = [{ statement }, { statement_s256: sha256Base64url(statement) }]
  return statements.flatMap((form) => {
    const withParameters = { ...common, ...form, parameters }
    // No parameters, and an empty list of them, run the same.
    return parameters.length === 0 ? [{ ...common, ...form }, withParameters] : [withParameters]
  })
}
