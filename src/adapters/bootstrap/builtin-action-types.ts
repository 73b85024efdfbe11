import { type ActionType, compileActionType } from '../../core/action/action-type.ts'
import { BUILTIN_ACTION_TYPES } from '../../core/action/builtin/builtin-action-types.ts'
import { isRefusal } from '../../core/refusal.ts'
import type { Query } from '../prisma/open-database.ts'

/** Compiled once: a built-in type that does not compile is a fault of this build. */
const BUILT_IN: readonly ActionType[] = BUILTIN_ACTION_TYPES.map((definition) => {
  const compiled = compileActionType(definition, 1)
  if (isRefusal(compiled)) throw new Error(`built-in action type ${definition.type}: ${compiled.detail}`)
  return compiled
})

/**
 * Writes the built-in action types; one that this build defines differently becomes a new version of itself.
 *
 * A suspended one stays suspended. Runs under the migration lock.
 */
export async function ensureBuiltInActionTypes(query: Query): Promise<void> {
  for (const { type, title, schema, digestible, template, risk, isSingleUse } of BUILT_IN) {
    // One statement, so that a type an administrator changes at this moment is not written over; nothing is written, and
    // no generation raised, where nothing differs.
    await query(
      `INSERT INTO action_type AS t (type, title, schema, digestible, template, risk, single_use, built_in)
       VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6::risk, $7, true)
       ON CONFLICT (type) DO UPDATE SET title = excluded.title, schema = excluded.schema, digestible = excluded.digestible,
         template = excluded.template, risk = excluded.risk, single_use = excluded.single_use,
         version = t.version + 1, updated_at = now()
       WHERE t.built_in AND (t.title, t.schema, t.digestible, t.template, t.risk, t.single_use)
         IS DISTINCT FROM (excluded.title, excluded.schema, excluded.digestible, excluded.template, excluded.risk, excluded.single_use)`,
      [type, title, JSON.stringify(schema), JSON.stringify(digestible), template, risk, isSingleUse],
    )
  }
}
