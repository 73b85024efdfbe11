import type { JsonObject } from '../../core/json.ts'
import type { IntrospectionAnswer, IntrospectionQuestion, Introspections } from '../../introspection-ports.ts'
import type { ReplayMark } from '../../ports.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { toMarks } from './group-commit.ts'
import { grouped } from './grouped.ts'
import type { Query } from './open-database.ts'

const INTROSPECT = 'SELECT n, outcome, action FROM writ_introspect($1::jsonb, $2::jsonb)'

interface Row {
  readonly n: number
  readonly outcome: 'ok' | 'stale' | 'assertion_replayed' | 'proof_replayed'
  readonly action: string | null
}

/**
 * Introspection in one round trip: using up what the resource server authenticated with, looking again whether it may, and the
 * token. Those that are asked at once are asked together (`grouped`).
 *
 * @param remember told of marks that are used up; not where the answer is `stale`, for then they are shown once more.
 */
export function introspections(
  query: Query,
  remember: (marks: readonly ReplayMark[]) => void,
  isUnavailable = isDatabaseUnavailable,
): Introspections {
  const askAll = async (questions: readonly IntrospectionQuestion[]): Promise<IntrospectionAnswer[]> => {
    const asks = questions.map(({ client, assertionKid, jkt, jti }, n) => ({
      ...{ n, client, assertion_kid: assertionKid, jkt, jti },
    }))
    const marks = questions.flatMap(toMarks)
    const rows = await query<Row>(INTROSPECT, [JSON.stringify(asks), JSON.stringify(marks)], 'writ_introspect')
    const byQuestion = new Map(rows.map((row) => [row.n, row]))
    return questions.map((question, n) => {
      const row = byQuestion.get(n)
      if (row === undefined) throw new Error('the database did not answer every question')
      if (row.outcome !== 'stale') remember(question.marks)
      if (row.outcome !== 'ok') return { outcome: row.outcome }
      // Our own canonical text, written when the token was recorded.
      return { outcome: 'ok', action: row.action === null ? undefined : (JSON.parse(row.action) as JsonObject) }
    })
  }
  /** A question that the database rejects is a fault; what it had used up is used up all the same. */
  const afterRejection = async (question: IntrospectionQuestion) => {
    await askAll([{ ...question, jti: undefined }])
  }
  return { ask: grouped({ askAll, isUnavailable, afterRejection }).ask }
}
