import { STATUS_CODES } from 'node:http'
import type { Context } from 'koa'

/** One member of a body and what is wrong with it. */
export interface MemberProblem {
  readonly member: string
  readonly detail: string
}

/** Answers the admin API's way: what is wrong and how to mend it (RFC 9457). */
export function answerProblem(
  context: Context,
  status: number,
  detail: string,
  errors: readonly MemberProblem[] = [],
): void {
  context.status = status
  context.set('Cache-Control', 'no-store')
  context.type = PROBLEM_TYPE
  context.body = problemText(status, detail, context.state.requestId, errors)
}

export const PROBLEM_TYPE = 'application/problem+json'

/** A problem document as JSON text. */
export function problemText(
  status: number,
  detail: string,
  requestId: string,
  errors: readonly MemberProblem[] = [],
): string {
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(errors.length > 0 && { errors }),
    request_id: requestId,
  })
}
