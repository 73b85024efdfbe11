import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { ActionToken } from './action-token.ts'
import { type Action, checkAction, exchangeParameters, grantedToken, type On, TURN } from './exchange.ts'
import { WritFault } from './fault.ts'
import { readPendingApproval } from './pending-approval.ts'
import { isWritRefusal, refusal, type WritRefusal } from './refusal.ts'
import { type IssuerDoor, tokenRequest } from './token-request.ts'

/** What several actions of one turn are asked for with: one request, one assertion, one proof. */
export type BatchWish = On & {
  /** 1 to 32; each has the turn `<turn>.<i>`, counted from 0, so that one can also be repeated alone. */
  readonly actions: readonly Action[]
  readonly turn: string
  readonly signal?: AbortSignal
}

const MAX_ACTIONS = 32

/**
 * Exchanges for several actions of one turn at once.
 *
 * @returns for each action, in their order, its token or its refusal; one refusal when the whole was refused: who asks, the
 * proof, or the delegation.
 * @throws WritFault when something broke: the same call again finds what was issued; TypeError when the wish is no wish.
 */
export async function exchangeAll(
  door: IssuerDoor,
  wish: BatchWish,
): Promise<readonly (ActionToken | WritRefusal)[] | WritRefusal> {
  const { actions, turn, signal } = wish
  const { resource, parameters } = exchangeParameters(wish)
  if (!Array.isArray(actions) || actions.length === 0 || actions.length > MAX_ACTIONS) {
    throw new TypeError(`actions must be 1 to ${MAX_ACTIONS} actions`)
  }
  actions.forEach(checkAction)
  if (typeof turn !== 'string' || !TURN.test(turn) || !TURN.test(`${turn}.${actions.length - 1}`)) {
    throw new TypeError('turn must be printable ASCII without space, short enough for the number behind it')
  }
  const askedAt = door.session.clock.own()
  const body = await tokenRequest(
    door,
    { ...parameters, authorization_details: JSON.stringify(actions), turn, batch: 'true' },
    { signal, isRepeatable: true },
  )
  if (isWritRefusal(body)) return body
  const { tokens } = body
  if (!Array.isArray(tokens) || tokens.length !== actions.length) throw unexpected()
  return tokens.map((item: JsonValue) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw unexpected()
    const { status, ...answer } = item as JsonObject
    if (status === 200) return grantedToken(door, answer, resource, askedAt)
    if (typeof status !== 'number' || typeof answer.error !== 'string') throw unexpected()
    return refusal('token', {
      status,
      error: answer.error,
      description: text(answer.error_description),
      decisionId: text(answer.decision_id),
      approval: readPendingApproval(answer, askedAt),
    })
  })
}

const text = (value: JsonValue | undefined) => (typeof value === 'string' && value !== '' ? value : undefined)

const unexpected = () => new WritFault('unexpected_answer', 'the answer of the server is not one for each action')
