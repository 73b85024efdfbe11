import { type ActionType, ActionTypeDefinition, compileActionType } from '../../core/action/action-type.ts'
import { isRefusal } from '../../core/refusal.ts'
import type { CataloguedActionType, Directory } from '../../ports.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { grouped } from './grouped.ts'
import type { Query } from './open-database.ts'

/** The action types this server knows, compiled. */
export interface Catalogue {
  readonly find: Directory['actionType']
  /** Types whose status is active, in order of name. */
  readonly active: () => readonly ActionType[]
  /** Reads all types again: another process may have changed one. */
  readonly refresh: () => Promise<void>
}

interface ActionTypeRow {
  readonly type: string
  readonly version: number
  readonly title: string
  readonly schema: unknown
  readonly digestible: unknown
  readonly template: string
  readonly risk: string
  readonly single_use: boolean
  readonly status: 'active' | 'suspended' | 'retired'
}

const COLUMNS = `type, version, title, schema, digestible, template, risk::text AS risk, single_use, status::text AS status`

const READ = `SELECT ${COLUMNS} FROM action_type WHERE type = ANY ($1::text[])`

/** Compiling a schema is dear, so a type is compiled once per version. */
export async function openCatalogue(query: Query): Promise<Catalogue> {
  let known = new Map<string, CataloguedActionType>()

  const catalogued = (row: ActionTypeRow): CataloguedActionType => {
    const before = known.get(row.type)
    const actionType = before?.actionType.version === row.version ? before.actionType : compile(row)
    return { actionType, status: row.status }
  }
  const refresh = async () => {
    const rows = await query<ActionTypeRow>(`SELECT ${COLUMNS} FROM action_type ORDER BY type COLLATE "C"`)
    known = new Map(rows.map((row) => [row.type, catalogued(row)]))
  }
  const { ask } = grouped<string, ActionTypeRow | undefined>({
    isUnavailable: isDatabaseUnavailable,
    askAll: async (types) => {
      const rows = await query<ActionTypeRow>(READ, [[...new Set(types)]], 'read_action_types')
      return types.map((type) => rows.find((row) => row.type === type))
    },
  })
  await refresh()
  return {
    refresh,
    active: () => [...known.values()].filter(({ status }) => status === 'active').map(({ actionType }) => actionType),
    find: async (type, freshness) => {
      if (freshness === 'cached') return known.get(type)
      const row = await ask(type)
      if (row === undefined) return undefined
      const entry = catalogued(row)
      known.set(type, entry)
      return entry
    },
  }
}

/** @throws when a stored type does not compile: a fault, for nothing is stored that did not compile before. */
function compile({ type, version, title, schema, digestible, template, risk, single_use }: ActionTypeRow): ActionType {
  const definition = ActionTypeDefinition.parse({ type, title, schema, digestible, template, risk, single_use })
  const compiled = compileActionType(definition, version)
  if (isRefusal(compiled)) throw new Error(`the stored action type ${type} does not compile: ${compiled.detail}`)
  return compiled
}
