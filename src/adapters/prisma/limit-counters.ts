import { type Charge, type LimitOwner, ownerKey, sumRule, usesRule } from '../../core/delegation/charge.ts'
import type { Limits } from '../../core/delegation/limits.ts'
import { type Counted, type Remaining, remainingOf } from '../../core/delegation/remaining.ts'
import type { Query } from './open-database.ts'

/** Counters of values of one owner that are shown: a `per` member has as many as it had values. */
const MAX_SHOWN = 200

/** What still counts: what was counted, less what has left by itself and was not taken off yet (writ_commit does that). */
const STILL_USED = `trim_scale(c.used - coalesce((SELECT sum(u.amount) FROM limit_use u
  WHERE u.counter_id = c.id AND u.leaves_at <= statement_timestamp()), 0))::text AS used`

interface CounterRow extends Counted {
  readonly owner: string
}

/** Something that may have limits, as it is stored. */
type Limited = { readonly id: string; readonly limits?: Limits | null }

/**
 * Adds to each item what is left of its limits at this moment, by one statement for all of them; by none where none has
 * limits. Counting changes no version of anything: what is left is only ever read.
 */
export async function withRemaining<Item extends Limited>(
  query: Query,
  kind: LimitOwner['kind'],
  items: readonly Item[],
): Promise<readonly (Item & { readonly remaining?: Remaining })[]> {
  const limited = items.filter(({ limits }) => (limits ?? null) !== null)
  if (limited.length === 0) return items
  const owners = limited.map((item) => ({ owner: ownerKey({ kind, id: item.id }), rules: rulesOf(item.limits) }))
  // By index, and no more than is shown: an agent chooses how many values it counts at.
  const rows = await query<CounterRow>(
    `SELECT c.owner, c.rule, ${STILL_USED}
     FROM jsonb_to_recordset($1::jsonb) AS o (owner text, rules text[])
     CROSS JOIN LATERAL (
       SELECT k.* FROM limit_counter k WHERE k.owner = o.owner AND k.rule = ANY (o.rules)
       UNION ALL
       SELECT v.* FROM (
         SELECT k.* FROM limit_counter k WHERE k.owner = o.owner ORDER BY k.owner, k.rule LIMIT ${MAX_SHOWN}) v
       WHERE v.rule::jsonb ? 'value'
     ) c ORDER BY c.owner, c.id`,
    [JSON.stringify(owners)],
  )
  const byOwner = grouped(rows)
  return items.map((item) => {
    const { limits } = item
    if (limits === undefined || limits === null) return item
    return { ...item, remaining: remainingOf(limits, byOwner.get(ownerKey({ kind, id: item.id })) ?? []) }
  })
}

/** The rules of limits that have one counter each, whatever is counted. */
const rulesOf = (limits?: Limits | null): readonly string[] => [
  usesRule(),
  ...(limits?.rates ?? []).map(({ seconds }) => usesRule(seconds)),
  ...(limits?.sums ?? []).filter(({ per }) => per === undefined).map((sum) => sumRule(sum)),
]

function grouped(rows: readonly CounterRow[]): ReadonlyMap<string, readonly Counted[]> {
  const byOwner = new Map<string, Counted[]>()
  for (const { owner, ...counted } of rows) {
    const known = byOwner.get(owner)
    if (known === undefined) byOwner.set(owner, [counted])
    else known.push(counted)
  }
  return byOwner
}

/** What was counted so far at the rule of each charge, in their order; nothing is counted by asking. */
export async function readUsed(query: Query, charges: readonly Charge[]): Promise<readonly string[]> {
  if (charges.length === 0) return []
  const rows = await query<{ used: string }>(
    `SELECT coalesce(k.used, '0') AS used
     FROM jsonb_to_recordset($1::jsonb) AS a (n int, owner text, rule text)
     LEFT JOIN LATERAL (
       SELECT ${STILL_USED} FROM limit_counter c WHERE c.owner = a.owner AND c.rule = a.rule) k ON true
     ORDER BY a.n`,
    [JSON.stringify(charges.map(({ owner, rule }, n) => ({ n, owner: ownerKey(owner), rule })))],
  )
  return rows.map(({ used }) => used)
}
