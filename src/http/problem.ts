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
  context.type = 'application/problem+json'
  context.body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(errors.length > 0 && { errors }),
    request_id: context.state.requestId,
  })
}
